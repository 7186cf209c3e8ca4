// Runs a scenario in a page of the server: node chromium.mjs CHROMIUM SCENARIO URL TRANSPORTS
//
// CHROMIUM is the browser's executable. Exit code 0 means that every assertion held, and that the
// page had no error, neither thrown nor in its console.

import { chromium } from "playwright-core";

// Below the time that pytest gives a scenario: here it is known what it waited for.
const TIMEOUT = 60_000;

async function main(executablePath, name, url, transports) {
  const browser = await chromium.launch({ executablePath, args: ["--disable-gpu"] });
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.stack));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(`console: ${message.text()}`);
  });
  await page.goto(url);
  const guard = setTimeout(async () => {
    console.error(`scenario ${name} did not end in time\n${await page.evaluate(() => state())}`);
    process.exit(1);
  }, TIMEOUT);
  await page.evaluate((args) => runScenario(...args), [name, transports]);
  clearTimeout(guard);
  await browser.close();
  if (errors.length) throw new Error(errors.join("\n"));
}

await main(...process.argv.slice(2));
