/** The server's resident memory, from its management port. */
import http from 'k6/http';
import { text } from './settings.js';

const METRICS_URL = text('METRICS_URL', 'http://localhost:8002/metrics');

/** `{bytes}`, or `{problem}`. */
export function residentMemory() {
  const reply = http.get(METRICS_URL, { responseType: 'text', timeout: '10s' });
  if (reply.status !== 200) return { problem: `${METRICS_URL} ${reply.status === 0 ? reply.error : `answers ${reply.status}`}` };
  const line = /^process_resident_memory_bytes (\S+)$/m.exec(reply.body);
  return line === null ? { problem: `${METRICS_URL} has no process_resident_memory_bytes` } : { bytes: Number(line[1]) };
}
