/** The organisation's sign-in, with a real identity provider: code flow with PKCE, tokens in memory only. */
import { expect, test } from "@playwright/test";

test.skip(!process.env.ISSUER, "needs an identity provider, which tests/browser starts");

test("a person signs in at the provider, comes back to where they were going, and stays signed in", async ({ page }) => {
  const asked = page.waitForRequest((request) => request.url().startsWith(`${process.env.ISSUER}/auth?`));
  await page.goto("/app/ota/firmware?search=x");
  await page.getByRole("button", { name: "Continue to sign in" }).click();
  await expect(page).toHaveURL(new RegExp(`^${process.env.ISSUER}`));
  expect(Object.fromEntries(new URL((await asked).url()).searchParams)).toMatchObject({ response_type: "code", code_challenge_method: "S256" });
  await page.getByPlaceholder("Enter any login").fill("ada");
  await page.getByPlaceholder("and password").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();

  await expect(page).toHaveURL(/\/app\/ota\/firmware\?search=x$/);
  await expect(page.getByRole("button", { name: "Register a version" }).first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Account: ada" })).toContainText("Operator");
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  expect(stored).not.toContain("eyJ");

  await page.reload();
  await expect(page.getByRole("button", { name: "Account: ada" })).toBeVisible();
});
