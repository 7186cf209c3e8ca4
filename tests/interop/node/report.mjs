// A person with a browser and a report of a hostile server: node report.mjs CHROMIUM PAGE MATRIX FOLDER
//
// PAGE and MATRIX are URLs of files. Pictures, wide and narrow, light and dark, are left in FOLDER.
// Exit code 0 means that the filter and the links work, that nothing is asked of any network, that
// nothing is cut off, and that nothing the server has sent was obeyed.

import assert from "node:assert/strict";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [executablePath, pageUrl, matrixUrl, folder] = process.argv.slice(2);
const TIMEOUT = 60_000; // milliseconds, on a machine that is busy

const browser = await chromium.launch({ executablePath, args: ["--disable-gpu"] });
const errors = [];

async function open(url, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  page.on("pageerror", (error) => errors.push(error.stack));
  page.on("console", (message) => errors.push(message.text()));
  page.on("request", (request) => {
    if (!request.url().startsWith("file:")) errors.push(`asks for ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

async function shown(page) {
  return page.locator(".item:visible").count();
}

async function checkFilter(page, total) {
  assert.equal(await shown(page), total);
  await page.fill("[name=text]", "MADE.FAIL");
  assert.equal(await shown(page), 1);
  assert.equal(await page.textContent("#shown"), "1");
  await page.fill("[name=text]", "no such text");
  assert.equal(await shown(page), 0);
  await page.fill("[name=text]", "");
  await page.uncheck("[name=verdict][value=fail]");
  assert.equal(await shown(page), total - 1);
  await page.check("[name=verdict][value=fail]");
  await page.selectOption("[name=area]", "eio4.made");
  assert.equal(await shown(page), total);
}

async function checkHarmless(page) {
  assert.doesNotMatch(await page.title(), /^owned/);
  assert.equal(await page.locator("img").count(), 0);
}

async function picture(page, name) {
  // What is too wide scrolls in its own box; the page itself never does.
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.ok(overflow <= 0, `${name} is ${overflow} pixels too wide`);
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

const SIZES = { wide: { width: 1400, height: 900 }, narrow: { width: 390, height: 800 } };

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(pageUrl, { viewport, colorScheme });
    await checkFilter(page, 10);
    await page.click(".unexpected a >> nth=0");
    const failed = page.locator('[id="eio4.made.fail[a,b]"]');
    assert.ok(await failed.evaluate((element) => element.open));
    assert.equal(await failed.locator(".headers:visible").count(), 0);
    await failed.locator(".toggle input").check();
    assert.equal(await failed.locator(".headers:visible").count(), 2);
    await checkHarmless(page);
    await picture(page, `run-${size}-${colorScheme}`);
    await failed.screenshot({ path: join(folder, `case-${size}-${colorScheme}.png`) });

    const matrix = await open(matrixUrl, { viewport, colorScheme });
    await checkFilter(matrix, 10);
    await checkHarmless(matrix);
    await picture(matrix, `matrix-${size}-${colorScheme}`);
    await matrix.click("a.verdict.fail >> nth=0");
    const linked = matrix.locator('[id="eio4.made.fail[a,b]"]');
    assert.ok(await linked.evaluate((element) => element.open));
  }
}

// All of it can be read without the script, too.
const plain = await open(pageUrl, { javaScriptEnabled: false });
assert.equal(await shown(plain), 10);
assert.equal(await plain.locator("#filter:visible").count(), 0);

await browser.close();
assert.deepEqual(errors, []);
