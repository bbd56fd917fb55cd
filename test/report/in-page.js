/* global document, innerWidth, getComputedStyle, NodeFilter */
/** Runs in the page. Its value is `Measures` of browser.ts. */
(() => {
  const MIN_TEXT_PX = 11;
  const MIN_CONTRAST = 4.5;
  /** Of rounding. */
  const SLACK_PX = 0.5;

  const isInside = (inner, outer) =>
    inner.left >= outer.left - SLACK_PX &&
    inner.right <= outer.right + SLACK_PX &&
    inner.top >= outer.top - SLACK_PX &&
    inner.bottom <= outer.bottom + SLACK_PX;
  const covers = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > SLACK_PX && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > SLACK_PX;
  const isShown = (element) => element.checkVisibility() && element.getBoundingClientRect().width > 0;
  const box = (element) => element.getBoundingClientRect();

  const rgb = (color) => color.match(/[\d.]+/g)?.map(Number) ?? [];
  const isOpaque = (color) => color !== 'none' && (rgb(color)[3] ?? 1) === 1;
  /** Relative luminance and contrast ratio: www.w3.org/TR/WCAG22 */
  const luminance = (color) => {
    const [red, green, blue] = rgb(color).map((part) =>
      part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };

  const ancestorColor = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (isOpaque(color)) return color;
    }
    throw new Error('the page has no background');
  };
  /** What is painted at the middle of a text of a drawing: the first filled shape, or else the page. */
  const colorBehind = (text) => {
    const { left, right, top, bottom } = box(text);
    const shapes = document
      .elementsFromPoint((left + right) / 2, (top + bottom) / 2)
      .filter((at) => ['rect', 'path', 'polygon'].includes(at.tagName));
    const filled = shapes.find((at) => isOpaque(getComputedStyle(at).fill));
    return filled === undefined ? ancestorColor(text) : getComputedStyle(filled).fill;
  };

  const plots = [...document.querySelectorAll('svg.plot')].filter(isShown);
  const measures = {
    overflowPx: document.documentElement.scrollWidth - innerWidth,
    plots: [],
    unseenMarks: [],
    clippedTexts: [],
    coveredTexts: [],
    smallTexts: [],
    faintTexts: [],
  };
  const judge = (text, px, color, behind) => {
    if (px < MIN_TEXT_PX) measures.smallTexts.push(`${text}: ${px.toFixed(1)} px`);
    const ratio = contrast(color, behind);
    if (ratio < MIN_CONTRAST) measures.faintTexts.push(`${text}: ${ratio.toFixed(2)}, ${color} on ${behind}`);
  };

  for (const plot of plots) {
    const name = plot.querySelector('title').textContent;
    const frame = box(plot);
    const marks = [...plot.querySelectorAll('.marker, .bar, .field, .line, .band, .reference, .missing')];
    for (const mark of marks) {
      const { width, height } = box(mark);
      const isDrawn = width + height > 0 && isInside(box(mark), frame) && box(mark).left >= 0 && box(mark).right <= innerWidth;
      if (!isDrawn) measures.unseenMarks.push(`${name}: ${mark.getAttribute('class')} ${width} x ${height}`);
    }
    const texts = [...plot.querySelectorAll('text')];
    const scale = frame.width / plot.viewBox.baseVal.width;
    texts.forEach((text, i) => {
      const says = `${name}: ${text.textContent}`;
      if (!isInside(box(text), frame)) measures.clippedTexts.push(says);
      for (const other of texts.slice(i + 1)) {
        if (covers(box(text), box(other))) measures.coveredTexts.push(`${says} and ${other.textContent}`);
      }
      const { fill, fontSize } = getComputedStyle(text);
      judge(says, Number.parseFloat(fontSize) * scale, fill, colorBehind(text));
    });
    measures.plots.push({ name, marks: marks.length, texts: texts.length });
  }

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: element, textContent } = walker.currentNode;
    if (textContent.trim() === '' || element.closest('svg') !== null || !isShown(element)) continue;
    const { color, fontSize } = getComputedStyle(element);
    judge(textContent.trim(), Number.parseFloat(fontSize), color, ancestorColor(element));
  }
  return measures;
})();
