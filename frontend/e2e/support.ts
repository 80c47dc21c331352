/** What the browser tests share: signing in, the API, looking at a page. */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, type APIRequestContext, type Page } from "@playwright/test";

export type Role = "viewer" | "operator" | "approver" | "admin";

export async function signIn(page: Page, tenant: string, role: Role, path = "/", server = "") {
  await page.goto(`${server}/app${path}`);
  await page.getByLabel("Tenant").fill(tenant);
  await page.getByRole("radio", { name: role, exact: false }).check();
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.locator("#content")).toBeVisible();
}

/** The same API that the console uses, as an operator of `tenant`. */
export class Api {
  private constructor(
    private readonly request: APIRequestContext,
    private readonly token: string,
  ) {}

  static async of(request: APIRequestContext, tenant: string, role: Role = "admin") {
    const answer = await request.post("/local/token", { data: { tenant, role } });
    expect(answer.ok()).toBe(true);
    return new Api(request, ((await answer.json()) as { token: string }).token);
  }

  async get<T>(path: string): Promise<T> {
    const answer = await this.request.get(`/customer${path}`, { headers: this.headers() });
    expect(answer.ok(), await answer.text()).toBe(true);
    return (await answer.json()) as T;
  }

  async post<T>(path: string, data: object = {}): Promise<T> {
    const answer = await this.request.post(`/customer${path}`, { headers: this.headers(), data });
    expect(answer.ok(), await answer.text()).toBe(true);
    return (await answer.json()) as T;
  }

  private headers() {
    return { Authorization: `Bearer ${this.token}` };
  }
}

export const unique = (name: string) => `${name}-${randomUUID().slice(0, 8)}`;

/** No accessibility finding of any level on what is shown; `rules`: only by these. */
export async function expectAccessible(page: Page, rules: string[] = []) {
  const axe = new AxeBuilder({ page });
  const { violations } = await (rules.length > 0 ? axe.withRules(rules) : axe).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`)).toEqual([]);
}

const SHOTS = process.env.SCREENSHOTS_DIR ?? "test-results/screenshots";

export async function screenshot(page: Page, name: string) {
  mkdirSync(SHOTS, { recursive: true });
  // As high as the page, so that what stays in place, such as the sidebar, goes all the way down.
  const size = page.viewportSize()!;
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: size.width, height: Math.max(size.height, height) });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
  await page.setViewportSize(size);
}

export async function useTheme(page: Page, theme: "light" | "dark") {
  await page.addInitScript((chosen) => localStorage.setItem("pulse.theme", chosen), theme);
}
