import { expect, test } from "vitest";
import { campaign, counts, stage } from "./fixtures";
import { asRequest, DETAILS, emptyPlan, fieldOf, isPossible, planAgain, PRESETS, sizes, summary } from "./plan";

const plan = (preset: keyof typeof DETAILS) => ({ ...emptyPlan(), ...DETAILS[preset], name: " Thermostat ", firmware: "3", group: "eu" });

test("the careful preset says in words what will happen", () => {
  expect(summary(plan("careful"), 48_200)).toEqual([
    "482 devices first, 60 a minute, until 98 % are updated and that has held for 1 h.",
    "Next 4,820 devices, 300 a minute, until 98 % are updated and that has held for 1 h.",
    "Then the other 42,898, 600 a minute.",
    "Stops by itself once it is 95 % sure that more than 2 % of devices fail.",
    "At first no more than 10 devices are at work at once; more as devices succeed.",
    "Never more than 5,000 devices at work at once.",
    "A device has 3 attempts of 1 h each.",
  ]);
});

test("without a group the summary speaks of shares", () => {
  expect(summary(plan("normal"), null).slice(0, 2)).toEqual(["5 % of devices first, 120 a minute, until 95 % are updated and that has held for 15 min.", "Then all others, 1,200 a minute."]);
});

test("a plan without stages becomes a linear campaign", () => {
  const request = asRequest(plan("urgent"));
  expect(request).toMatchObject({ rollout_strategy: "linear", max_in_flight: null, ramp_start: 500, abort_threshold: 0.1 });
  expect(request.stages).toBeUndefined();
});

test("every preset asks for the sequential rule and a ramp", () => {
  for (const preset of PRESETS) expect(asRequest(plan(preset))).toMatchObject({ name: "Thermostat", firmware_version_id: 3, abort_rule: "sequential", ramp_start: expect.any(Number) });
});

test("percents become shares without the noise of binary fractions", () => {
  expect(asRequest({ ...plan("normal"), threshold: "7", confidence: "99.9" })).toMatchObject({ abort_threshold: 0.07, abort_confidence: 0.999 });
});

test("stages are rounded up as the server rounds them, and what is left is the last", () => {
  expect(sizes([0.01, 0.1], 101)).toEqual([2, 11, 88]);
  expect(sizes([0.5, 0.5], 3)).toEqual([2, 1, 0]);
  expect(sizes([0.1], 30)).toEqual([3, 27]);
});

test("a field that the server names is found in the form", () => {
  expect(fieldOf("stages.1.soak_seconds")).toBe("stages.1.soakMinutes");
  expect(fieldOf("body.target_group_id")).toBe("group");
  expect(fieldOf("target_of.campaign_id")).toBe("group");
  expect(fieldOf("name")).toBe("name");
});

test("a plan with a number out of its limits is not possible, one that is not shown aside", () => {
  const [canary] = plan("normal").stages;
  for (const preset of PRESETS) expect(isPossible(plan(preset))).toBe(true);
  for (const wrong of [{ attempts: "0" }, { rate: "" }, { stages: [{ ...canary!, share: "500" }] }, { stages: [canary!, { ...canary!, share: "96" }] }]) expect(isPossible({ ...plan("normal"), ...wrong })).toBe(false);
  expect([isPossible({ ...plan("normal"), minDevices: "0" }), isPossible({ ...plan("normal"), rule: "ratio", minDevices: "0" })]).toEqual([true, false]);
});

test("a campaign that is run again asks for the same, for the devices that it has not updated", () => {
  const gated = stage({ name: "Canary", share: 0.07, rollout_rate: 60, soak_seconds: 90, min_success: 0.98, approval: true });
  const limits = { max_in_flight: 500, ramp_start: null, ramp_factor: 0.5, max_attempts: 5, attempt_timeout_seconds: 100 };
  const rule = { abort_rule: "sequential", abort_threshold: 0.02, abort_confidence: 0.99, abort_min_devices: 1 } as const;
  const before = campaign({ rollout_strategy: "canary", stages: [gated, stage({ number: 1 })], ...limits, ...rule });
  const again = planAgain(before);
  expect(isPossible(again)).toBe(true);
  expect(asRequest(again)).toEqual({
    name: "Thermostat 2.1.0 again",
    firmware_version_id: 1,
    target_of: { campaign_id: 7, statuses: ["FAILED", "SKIPPED", "PENDING"] },
    rollout_strategy: "canary",
    rollout_rate: 1200,
    ...limits,
    ...rule,
    stages: [{ name: "Canary", share: 0.07, rollout_rate: 60, soak_seconds: 90, min_success: 0.98, approval: true }],
  });
});

test("so many devices of all become the same part of those that are left", () => {
  const first = stage({ share: null, count: 50 });
  const [planned] = planAgain(campaign({ total_devices: 1000, status_breakdown: counts({ SKIPPED: 900, SUCCESS: 100 }), stages: [first, stage({ number: 1 })] })).stages;
  expect(planned!.share).toBe("5");
});
