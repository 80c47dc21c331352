/** What an operator does, from a new campaign to its end, on simulated devices that really update. */
import { createHash } from "node:crypto";
import { expect, test, type Page } from "@playwright/test";
import { Line } from "./line";
import { Api, expectAccessible, screenshot, signIn, unique } from "./support";

const tenants = JSON.parse(process.env.TENANTS ?? "{}") as Record<"complete" | "control" | "canary" | "abort" | "pages", string>;

/** Fills the page of a new campaign; `details` are fields by their labels. */
async function plan(page: Page, name: string, preset: string, details: Record<string, string> = {}) {
  await page.getByRole("textbox", { name: "Name" }).first().fill(name);
  await page.getByRole("combobox", { name: "Firmware version" }).click();
  await page.getByRole("option", { name: "2.0.0" }).click();
  await page.getByRole("combobox", { name: "Device group" }).click();
  await page.getByRole("option", { name: "All devices" }).click();
  await page.getByRole("radio", { name: preset }).check();
  for (const [label, value] of Object.entries(details)) await page.getByLabel(label, { exact: true }).last().fill(value);
}

async function create(page: Page) {
  await page.getByRole("button", { name: /^Create campaign/ }).click();
  await expect(page.getByRole("heading", { name: "Ready to start" })).toBeVisible();
}

const figure = (page: Page, word: string) => page.locator("dl > div", { hasText: word }).locator("dd").first();

test("a campaign is created in the console and watched to its end", async ({ page }) => {
  await signIn(page, tenants.complete, "operator", "/ota/campaigns");
  await expect(page.getByText("No campaigns yet")).toBeVisible();
  await page.getByRole("link", { name: "New campaign" }).first().click();
  const name = unique("complete");
  await plan(page, name, "Urgent", { Rate: "600", "Failures allowed": "50", "Attempts for each device": "1" });
  await expect(page.getByText("40 devices will be updated")).toBeVisible();
  await create(page);
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByRole("button", { name: "Pause" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Complete", level: 2 })).toBeVisible({ timeout: 40_000 });
  await expect(page.getByText("40 of 40 finished")).toBeVisible();
  await expect(page.getByRole("slider", { name: /Devices over time/ })).toBeVisible();
  await screenshot(page, "story-complete");

  await page.getByRole("group", { name: "By state" }).getByRole("button", { name: /Updated/ }).click();
  await expect(page.getByRole("row").nth(1)).toContainText("Updated");
  await page.getByRole("row").nth(1).getByRole("button").click();
  await expect(page.getByRole("dialog").getByText("Ended: Updated")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
});

test("a campaign is slowed, paused, resumed and aborted, and the abort says what it does", async ({ page }) => {
  await signIn(page, tenants.control, "operator", "/ota/campaigns/new");
  await plan(page, unique("control"), "Urgent", { Rate: "60" });
  await create(page);
  await page.getByRole("button", { name: "Start" }).click();
  await expect.poll(async () => Number(await figure(page, "Waiting").textContent()), { timeout: 15_000 }).toBeLessThan(38);

  await page.getByRole("button", { name: "Change rate" }).click();
  await page.getByLabel("Devices a minute").fill("0");
  await expect(page.getByText("A whole number from 1 to 600,000")).toBeVisible();
  await page.getByLabel("Devices a minute").fill("90");
  await page.getByRole("dialog").getByRole("button", { name: "Change rate" }).click();
  await expect(page.getByText("The rate has changed")).toBeVisible();

  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByRole("heading", { name: "Paused", level: 2 })).toBeVisible();
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(page.getByRole("button", { name: "Pause" })).toBeVisible();

  await page.getByRole("button", { name: "Abort" }).click();
  const dialog = page.getByRole("alertdialog");
  await expect(dialog.getByRole("button", { name: "Keep it running" })).toBeFocused();
  await expect(dialog.getByText(/waiting devices?$/)).toBeVisible();
  await screenshot(page, "story-abort-asks");
  await dialog.getByRole("button", { name: /^Abort, skip/ }).click();
  await expect(page.getByRole("heading", { name: "Aborted", level: 2 })).toBeVisible();
  await expect(page.getByText(/devices skipped/)).toBeVisible({ timeout: 15_000 });
  await expect(page.getByRole("button", { name: "Abort" })).toBeHidden();
});

test("a canary waits for approval, which only an approver is offered", async ({ page, browser }) => {
  await signIn(page, tenants.canary, "operator", "/ota/campaigns/new");
  await plan(page, unique("canary"), "Normal", { Share: "20", "Then hold for": "0" });
  await page.getByRole("switch", { name: "An approver opens the gate" }).click();
  await expect(page.getByText("4 devices first, 120 a minute, until 95 % are updated; then an approver decides.")).toBeVisible();
  await create(page);
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByRole("heading", { name: "Waits for approval" })).toBeVisible({ timeout: 30_000 });
  await expect(page.getByRole("button", { name: "Approve", exact: true })).toBeHidden();
  await screenshot(page, "story-canary-waits");

  const approver = await browser.newPage();
  await signIn(approver, tenants.canary, "approver");
  await approver.getByRole("link", { name: /^canary-/ }).first().click();
  await expect(approver.getByRole("button", { name: "Pause" })).toBeHidden();
  await approver.getByRole("button", { name: "Approve", exact: true }).click();
  const dialog = approver.getByRole("dialog", { name: "Approve Canary?" });
  await expect(dialog.getByText("It opens the gate to Everyone: 16 devices.")).toBeVisible();
  await dialog.getByLabel("Why").fill("the four look fine");
  const sent = approver.waitForRequest((request) => request.url().endsWith("/stages/0/approve"));
  await dialog.getByRole("button", { name: "Approve" }).click();
  expect((await sent).headers()["idempotency-key"]).toMatch(/^[0-9a-f]{32}$/);
  await expect(approver.getByText("The gate is open")).toBeVisible();
  await approver.close();
  await expect(page.getByText("the four look fine")).toBeVisible();
  await expect(page.getByRole("heading", { name: "Complete", level: 2 })).toBeVisible({ timeout: 40_000 });
});

test("a bad firmware stops by itself, and the page says why", async ({ page }) => {
  await signIn(page, tenants.abort, "operator", "/ota/campaigns/new");
  await plan(page, unique("bad"), "Urgent", { Rate: "600", "Attempts for each device": "1" });
  await create(page);
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByRole("heading", { name: "Aborted", level: 2 })).toBeVisible({ timeout: 40_000 });
  await expect(page.getByText("It stopped itself, because it was 95 % sure")).toBeVisible();
  await page.getByRole("button", { name: "Could not install the update" }).click();
  await expect(page).toHaveURL(/reason=install_failed/);
  await expect(page.getByRole("row").nth(1)).toContainText("Could not install the update");
  await screenshot(page, "story-automatic-abort");

  await page.getByRole("link", { name: "Campaigns" }).first().click();
  await page.getByRole("button", { name: "Needs attention 1" }).click();
  await expect(page).toHaveURL(/status=ATTENTION/);
  await page.reload();
  await expect(page.getByRole("link", { name: /^bad-/ })).toBeVisible();
});

test("a campaign that waits for devices says for how many, and what comes next", async ({ page, request }) => {
  const tenant = unique("away");
  const api = await Api.of(request, tenant);
  const device_ids = ["away-1", "away-2", "away-3"];
  await api.post("/devices/bulk", { devices: device_ids.map((device_id) => ({ device_id, device_type: "gw2" })) });
  await api.post("/device-groups", { group_id: "all", name: "All" });
  await api.post("/device-groups/all/members", { device_ids });
  const file = { file_url: "https://files.example.com/gw2.bin", file_size_bytes: 8, checksum_sha256: "ab".repeat(32) };
  const firmware = await api.post<{ id: number }>("/firmware", { version: "2.0.0", device_type: "gw2", ...file });
  const { id } = await api.post<{ id: number }>("/ota/campaigns", { name: unique("away"), firmware_version_id: firmware.id, target_group_id: "all", rollout_rate: 600 });
  await signIn(page, tenant, "viewer", `/ota/campaigns/${id}`);
  await expect(page.getByRole("heading", { name: "Ready to start" })).toBeVisible();
  await expect(page.getByRole("button", { name: /offline/ })).toBeHidden();

  await api.post(`/ota/campaigns/${id}/start`);
  await expect(page.getByText(/^\d offline: sent again after a pause that grows to an hour, or as soon as (it is|they are) heard$/)).toBeVisible({ timeout: 20_000 });
  await page.getByRole("button", { name: /^\d offline$/ }).click();
  await expect(page).toHaveURL(/wait=offline/);
  await expect(page.getByRole("row").nth(1)).toContainText("Offline; is sent as soon as it is heard");
  await expectAccessible(page);
  await screenshot(page, "story-waiting");
  await page.getByRole("button", { name: "Only: offline" }).click();
  await expect(page).not.toHaveURL(/wait=/);
});

test("a device is taken out, and what an abort left is run again", async ({ page, request }) => {
  const tenant = unique("again");
  const api = await Api.of(request, tenant);
  const device_ids = ["left-1", "left-2", "left-3"];
  await api.post("/devices/bulk", { devices: device_ids.map((device_id) => ({ device_id, device_type: "gw2" })) });
  await api.post("/device-groups", { group_id: "all", name: "All" });
  await api.post("/device-groups/all/members", { device_ids });
  const file = { file_url: "https://files.example.com/gw2.bin", file_size_bytes: 8, checksum_sha256: "ab".repeat(32) };
  const firmware = await api.post<{ id: number }>("/firmware", { version: "2.0.0", device_type: "gw2", ...file });
  const { id } = await api.post<{ id: number }>("/ota/campaigns", { name: "First try", firmware_version_id: firmware.id, target_group_id: "all", rollout_rate: 7 });
  await signIn(page, tenant, "operator", `/ota/campaigns/${id}?device=left-2`);
  await page.getByRole("button", { name: "Skip device" }).click();
  await page.getByLabel(/^Why/).fill("in repair");
  await expectAccessible(page);
  await screenshot(page, "story-skip-device");
  await page.getByRole("button", { name: "Skip device" }).last().click();
  await expect(page.getByText("The device is skipped")).toBeVisible();
  await expect(page.getByText("Taken out by an operator").first()).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByText("in repair")).toBeVisible();

  await api.post(`/ota/campaigns/${id}/abort`);
  await page.getByRole("button", { name: "Run again" }).click();
  await expect(page.getByLabel("Name")).toHaveValue("First try again");
  await expect(page.getByText("3 devices will be updated")).toBeVisible();
  await expectAccessible(page);
  await screenshot(page, "story-run-again");
  await create(page);
  await expect(page.getByRole("link", { name: "what First try has not updated" })).toBeVisible();
});

test("a CSV with bad lines names each, and the good lines can be sent alone", async ({ page }) => {
  const tenant = unique("csv");
  await signIn(page, tenant, "operator", "/devices?import=1");
  const lines = ["device_id,device_type,current_version,attributes.site", "s1,gw2,1.0.0,Bern", "s/2,gw2,1.0.0,Bern", "s3,,1.0.0,Basel", "s4,gw2,,Basel"];
  await page.getByLabel(/Drop a CSV file/).setInputFiles({ name: "fleet.csv", mimeType: "text/csv", buffer: Buffer.from(lines.join("\n")) });
  await expect(page.getByText("2 lines are wrong; so nothing is imported yet.")).toBeVisible();
  const wrong = page.getByRole("region", { name: "What is wrong" });
  await expect(wrong.getByRole("row").filter({ hasText: "device_id" })).toContainText("3");
  await expect(wrong.getByRole("row").filter({ hasText: "device_type" })).toContainText("4");
  await screenshot(page, "story-csv-bad-lines");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download the bad lines" }).click();
  expect((await download).suggestedFilename()).toBe("bad-lines-fleet.csv");
  await page.getByRole("button", { name: "Import the 2 good lines" }).click();
  await page.getByRole("button", { name: "Import 2 devices" }).click();
  await expect(page.getByRole("button", { name: "s1" })).toBeVisible();
  await expect(page.getByRole("button", { name: "s4" })).toBeVisible();
});

test("a firmware file is measured in the browser, registered, and withdrawn with a warning", async ({ page, request }) => {
  const tenant = unique("fw");
  await signIn(page, tenant, "operator", "/ota/firmware");
  await page.getByRole("button", { name: "Register a version" }).first().click();
  await page.getByLabel(/Drop the firmware file/).setInputFiles({ name: "gw2-3.1.0.bin", mimeType: "application/octet-stream", buffer: Buffer.from("firmware") });
  await expect(page.getByLabel("SHA-256", { exact: true })).toHaveValue(createHash("sha256").update("firmware").digest("hex"));
  await expect(page.getByLabel("Size in bytes")).toHaveValue("8");
  await expect(page.getByLabel("Version", { exact: true })).toHaveValue("3.1.0");
  await page.getByLabel("Where devices download it").fill("not an address");
  await page.getByRole("dialog").getByRole("button", { name: "Register" }).click();
  await expect(page.getByText("An address that begins with http:// or https://")).toBeVisible();
  await page.getByLabel("Where devices download it").fill("https://files.example.com/gw2-3.1.0.bin");
  await page.getByRole("dialog").getByRole("button", { name: "Register" }).click();
  // Nothing lies there: that is asked before it is registered, and may be overruled.
  await expect(page.getByText("Devices may not get this file")).toBeVisible();
  await page.getByRole("dialog").getByRole("button", { name: "Register all the same" }).click();
  await expect(page.getByRole("button", { name: "3.1.0" })).toBeVisible();

  const api = await Api.of(request, tenant);
  await api.post("/devices", { device_id: "d1", device_type: "gw2" });
  await api.post("/device-groups", { group_id: "lab", name: "Lab" });
  await api.post("/device-groups/lab/members", { device_ids: ["d1"] });
  const { firmware_versions } = await api.get<{ firmware_versions: { id: number }[] }>("/firmware");
  await api.post("/ota/campaigns", { name: "Lab first", firmware_version_id: firmware_versions[0]!.id, target_group_id: "lab" });
  await page.getByRole("button", { name: "3.1.0" }).click();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Description (optional)").fill("For the new display");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("– → For the new display")).toBeVisible();
  await page.getByRole("button", { name: "Withdraw" }).click();
  const dialog = page.getByRole("alertdialog");
  await expect(dialog.getByText("Lab first")).toBeVisible();
  await dialog.getByLabel("Reason").fill("bricks the display");
  await dialog.getByRole("button", { name: "Withdraw" }).click();
  await expect(page.getByText("Version 3.1.0 is withdrawn")).toBeVisible();
  await expect(page.getByRole("dialog").getByText("bricks the display")).toBeVisible();
  await page.getByRole("link", { name: "Lab first" }).click();
  await expect(page.getByRole("heading", { name: "Cannot start: firmware withdrawn" })).toBeVisible();
  await expect(page.getByText(/was withdrawn by .* bricks the display/)).toBeVisible();
  await expect(page.getByRole("button", { name: "Start" })).toBeHidden();
});

test("a viewer sees everything and is offered nothing that changes it", async ({ page }) => {
  await signIn(page, tenants.complete, "viewer", "/ota/campaigns");
  await page.getByRole("link", { name: /^complete-/ }).click();
  await expect(page.getByRole("heading", { name: "Complete", level: 2 })).toBeVisible();
  for (const name of [/Change rate/, /Pause/, /Abort/, /Try .* again/]) await expect(page.getByRole("button", { name })).toBeHidden();
  await page.getByRole("link", { name: "Firmware" }).click();
  await expect(page.getByRole("button", { name: "2.0.0" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Register a version" })).toBeHidden();
  await page.getByRole("link", { name: "Devices" }).click();
  await expect(page.getByRole("button", { name: "Import CSV" })).toBeHidden();
});

for (const [how, lose] of [
  ["cut", (line: Line) => line.cut()],
  ["frozen", (line: Line) => line.freeze()],
] as const) {
  test(`a connection that is ${how} is shown, and heals by itself`, async ({ page, baseURL }) => {
    const line = await Line.to(new URL(baseURL!));
    try {
      await signIn(page, tenants.complete, "operator", "/ota/campaigns", line.url);
      await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();
      lose(line);
      await expect(page.getByText("The connection to the server is lost")).toBeVisible({ timeout: 8_000 });
      if (how === "cut") await screenshot(page, "story-connection-lost");
      line.mend();
      await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible({ timeout: 15_000 });
      await expect(page.getByText("The connection to the server is lost")).toBeHidden();
    } finally {
      await line.close();
    }
  });
}

test("everything can be reached from the keyboard", async ({ page }) => {
  await signIn(page, tenants.complete, "operator");
  await page.keyboard.press("Control+k");
  await page.getByPlaceholder("Go to a page").fill("complete-");
  await expect(page.getByRole("option", { name: /^complete-/, selected: true })).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/app\/ota\/campaigns\/\d+/);
  await expect(page.getByPlaceholder("Go to a page")).toBeHidden();
  await expect(page.getByRole("searchbox", { name: "Device id" })).toBeVisible();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox", { name: "Device id" })).toBeFocused();
});

test("the menu under one's name leads to the API's page", async ({ page, context }) => {
  await signIn(page, tenants.pages, "viewer");
  await page.getByRole("button", { name: /^Account/ }).click();
  const [opened] = await Promise.all([context.waitForEvent("page"), page.getByRole("menuitem", { name: "API reference" }).click()]);
  await expect(opened).toHaveURL(/\/docs\/$/);
  await expect(opened.locator(".opblock").first()).toBeVisible();
});
