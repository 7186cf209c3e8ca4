// Two people in the chat of examples/chat: node chat.mjs CHROMIUM URL FOLDER
//
// CHROMIUM is the browser's executable. A picture of the second page is left in FOLDER. Exit code 0
// means that each saw of the other what a person would see, and that no page had an error.

import assert from "node:assert/strict";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [executablePath, url, folder] = process.argv.slice(2);
const TIMEOUT = 10_000; // milliseconds, for whatever a page is to show

const browser = await chromium.launch({ executablePath, args: ["--disable-gpu"] });
const errors = [];

async function newPage(options) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(TIMEOUT);
  page.on("pageerror", (error) => errors.push(error.stack));
  page.on("console", (message) => {
    // A client that is refused says goodbye while it polls: the poll may find its session gone.
    const goodbye = message.text().includes("status of 400") && message.location().url.includes("sid=");
    if (message.type() === "error" && !goodbye) errors.push(message.text());
  });
  await page.goto(url);
  return page;
}

async function enter(page, room, name) {
  if (name !== undefined) await page.fill("[name=name]", name);
  await page.fill("[name=room]", room);
  await page.click("#door button");
}

async function say(page, text) {
  await page.fill("[name=text]", text);
  await page.press("[name=text]", "Enter");
}

/** Waits until the last line of the log is this one. */
const reads = (page, line) =>
  page.waitForFunction((line) => document.querySelector("#log li:last-child")?.textContent === line, line);

const ann = await newPage();
const bob = await newPage({ viewport: { width: 420, height: 640 } });
await enter(ann, "lobby", "ann");
await reads(ann, "You are in lobby.");
await enter(bob, "lobby", "ann");
await bob.waitForFunction(() => document.querySelector("#refusal").textContent === "ann is here already.");
await enter(bob, "lobby", "bob");
await reads(bob, "You are in lobby.");
await reads(ann, "bob is here.");
assert.equal(await ann.textContent("#people"), "ann, bob");
await say(ann, "hello <b>bob</b> 🙂");
await reads(bob, "ann: hello <b>bob</b> 🙂");
await say(bob, "hello ann");
await reads(ann, "bob: hello ann");
await enter(bob, "kitchen");
await reads(bob, "You are in kitchen.");
await reads(ann, "bob is leaving: goes to another room.");
await say(ann, "anybody here?");
await reads(ann, "ann: anybody here?");
await enter(bob, "lobby");
await reads(bob, "You are in lobby.");
assert.ok(!(await bob.textContent("#log")).includes("anybody here?"));
await ann.close();
await reads(bob, "ann is leaving: transport close.");
assert.equal(await bob.textContent("#people"), "bob");
await bob.screenshot({ path: join(folder, "chat.png") });
await browser.close();
assert.deepEqual(errors, []);
