/** Every page, in both themes and at two widths: seen, kept as a picture, and without any accessibility finding. */
import { expect, test, type Page } from "@playwright/test";
import { Api, expectAccessible, screenshot, signIn, useTheme } from "./support";

const tenant = (JSON.parse(process.env.TENANTS ?? '{"pages":"demo"}') as { pages: string }).pages;

let campaign = 0;
let firmware = 0;
test.beforeAll(async ({ request }) => {
  const api = await Api.of(request, tenant);
  const { firmware_versions } = await api.get<{ firmware_versions: { id: number }[] }>("/firmware");
  firmware = firmware_versions[0]!.id;
  const { id } = await api.post<{ id: number }>("/ota/campaigns", {
    name: "Gateway 2.0.0 for everyone",
    firmware_version_id: firmware,
    target_group_id: "all",
    rollout_strategy: "canary",
    rollout_rate: 14,
    abort_rule: "sequential",
    abort_threshold: 0.5,
    max_attempts: 1,
    stages: [{ name: "Canary", share: 0.2, rollout_rate: 60, soak_seconds: 2, min_success: 0.5 }],
  });
  campaign = id;
  await api.post(`/ota/campaigns/${id}/start`);
});

const PAGES: { name: string; path: () => string; ready: string }[] = [
  { name: "overview", path: () => "/", ready: "Versions in the field" },
  { name: "campaigns", path: () => "/ota/campaigns", ready: "Gateway 2.0.0 for everyone" },
  { name: "campaign", path: () => `/ota/campaigns/${campaign}`, ready: "Failed per" },
  { name: "new-campaign", path: () => `/ota/campaigns/new?firmware=${firmware}&group=all`, ready: "What will happen" },
  { name: "firmware", path: () => "/ota/firmware", ready: "2.0.0" },
  { name: "devices", path: () => "/devices", ready: "d001" },
  { name: "device", path: () => "/devices/d001", ready: "Updates" },
  { name: "groups", path: () => "/groups", ready: "All devices" },
  { name: "group", path: () => "/groups/all", ready: "d001" },
  { name: "not-found", path: () => "/nowhere", ready: "There is no such page" },
];

/** The page as it stands now, in both themes and at both widths. Only colours differ between the themes. */
async function look(page: Page, name: string) {
  for (const width of [1440, 390]) {
    await page.setViewportSize({ width, height: width < 500 ? 844 : 900 });
    for (const theme of ["light", "dark"] as const) {
      await page.evaluate((chosen) => (document.documentElement.dataset.theme = chosen), theme);
      await expectAccessible(page, theme === "dark" ? ["color-contrast"] : []);
      await screenshot(page, `${name}-${theme}-${width}`);
    }
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = "light"));
  await page.setViewportSize({ width: 1440, height: 900 });
}

test("every page in both themes and at two widths", async ({ page }) => {
  test.setTimeout(180_000);
  await useTheme(page, "light");
  await page.goto("/app/");
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await look(page, "sign-in");
  await signIn(page, tenant, "admin");
  for (const { name, path, ready } of PAGES) {
    await page.goto(`/app${path()}`);
    await expect(page.getByText(ready).first()).toBeVisible();
    await page.waitForLoadState("load");
    await look(page, name);
  }
});

test("the theme that was chosen is there before anything is painted, and can be changed", async ({ page }) => {
  await useTheme(page, "dark");
  await signIn(page, tenant, "viewer");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.getByRole("button", { name: "Use the light theme" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
});

test("the first load is small, and nothing of it comes from elsewhere", async ({ page, baseURL }) => {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  let requests = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    requests += 1;
  });
  const elsewhere: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(baseURL!) && !request.url().startsWith("data:")) elsewhere.push(request.url());
  });
  await signIn(page, tenant, "viewer");
  await expect(page.getByText("Versions in the field")).toBeVisible();
  await page.waitForTimeout(500);
  expect(elsewhere).toEqual([]);
  console.log(`first load: ${bytes} bytes in ${requests} requests`);
  expect(bytes).toBeLessThan(350_000);
});
