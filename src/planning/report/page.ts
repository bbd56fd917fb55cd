/** One page that needs nothing else: no script, no other file, no network. */
import { Markup, markup, type Content } from './markup.js';
import { STYLES } from './styles.js';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** HTML in the style of our reports. */
export function pageHtml(title: string, content: Content): string {
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Markup(STYLES)}</style>
</head>
<body>
<main>
${content}</main>
</body>
</html>
`.toString();
}
