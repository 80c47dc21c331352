/** The API's page at `/docs`: both services' operations, nothing from elsewhere, usable in both themes and widths. */
import { expect, test, type Page } from "@playwright/test";
import { expectAccessible, screenshot, useTheme } from "./support";

test.describe.configure({ timeout: 120_000 });
const TOKEN = process.env.TOKEN!;

/** Opens the page and notes what it asks for elsewhere, and what its log complains of. */
async function open(page: Page, path = "/docs/") {
  const complaints: string[] = [];
  const origin = new URL(process.env.CONSOLE_URL!).origin;
  page.on("request", (request) => {
    const { protocol } = new URL(request.url());
    if (!request.url().startsWith(`${origin}/`) && protocol !== "data:" && protocol !== "blob:") complaints.push(`asks ${request.url()}`);
  });
  page.on("console", (message) => {
    const ofItsOwn = message.text().startsWith("Deprecated: escaping deep link"); // Swagger UI of ids with an underscore
    if ((message.type() === "error" && !ofItsOwn) || message.text().includes("Content Security Policy")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(path);
  await expect(page.locator(".opblock").first()).toBeVisible();
  return complaints;
}

const operation = (page: Page, id: string) => page.locator(`[id$="-${id}"].opblock`);

test("the operations of both services are there, and nothing is asked for elsewhere", async ({ page }) => {
  const complaints = await open(page);
  for (const id of ["register_firmware", "withdraw_firmware", "create_campaign", "watch_campaigns", "import_devices"])
    await expect(operation(page, id)).toBeVisible();
  const document = (await (await page.request.get("/docs/openapi.json")).json()) as { paths: Record<string, Record<string, unknown>> };
  const operations = Object.values(document.paths).flatMap((path) => Object.keys(path));
  await expect(page.locator(".opblock")).toHaveCount(operations.length);
  expect(complaints).toEqual([]);
});

test("an operation says its roles, its fields with units, an example and its refusals", async ({ page }) => {
  const complaints = await open(page, "/docs/#/campaigns/create_campaign");
  const create = operation(page, "create_campaign");
  await expect(create.getByText("One of the roles operator, admin.")).toBeVisible();
  await expect(create.getByText('"Spring release"').first()).toBeVisible();
  await expect(create.getByText("unknown_group").first()).toBeVisible();
  await create.getByRole("tab", { name: "Schema" }).first().click();
  await expect(create.getByText("Devices that are commanded per minute, 1 to 600,000.").first()).toBeVisible();
  expect(complaints).toEqual([]);
});

test("a request can be tried with a token", async ({ page }) => {
  const complaints = await open(page, "/docs/#/firmware/list_firmware");
  await page.getByRole("button", { name: "Authorize" }).first().click();
  await page.locator(".auth-container input").fill(TOKEN);
  await page.locator(".auth-btn-wrapper").getByRole("button", { name: "Apply credentials" }).click();
  await page.locator(".auth-btn-wrapper").getByRole("button", { name: "Close" }).click();
  const list = operation(page, "list_firmware");
  await list.getByRole("button", { name: "Try it out" }).click();
  await list.getByRole("button", { name: "Execute" }).click();
  await expect(list.locator(".live-responses-table tbody .response-col_status").first()).toContainText("200");
  await expect(list.locator(".live-responses-table")).toContainText("firmware_versions");
  expect(complaints).toEqual([]);
});

for (const [theme, width] of [
  ["light", 1440],
  ["dark", 390],
] as const) {
  test(`the page is readable in the ${theme} theme at ${width}`, async ({ page }) => {
    await page.setViewportSize({ width, height: 900 });
    await useTheme(page, theme);
    await open(page, "/docs/#/campaigns/start_campaign");
    await expect(operation(page, "start_campaign").getByText("wrong_state").first()).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await expectAccessible(page, ["color-contrast"]);
    await screenshot(page, `docs-${theme}-${width}`);
  });
}
