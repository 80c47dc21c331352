import { expect, test } from "vitest";
import { campaign, counts } from "@/features/campaigns/fixtures";
import { newer, patchList } from "./patch";

test("an answer of an older epoch does not take the page back", () => {
  const paused = campaign({ epoch: 2, status: "PAUSED" });
  expect(newer(paused, campaign({ epoch: 1 }))).toBe(paused);
  const resumed = campaign({ epoch: 3 });
  expect(newer(paused, resumed)).toBe(resumed);
  expect(newer(undefined, resumed)).toBe(resumed);
});

test("a list is patched in place, and campaigns that it does not show are named", () => {
  const known = [campaign({ id: 2 }), campaign({ id: 1 })];
  const change = { id: 1, status: "PAUSED" as const, epoch: 2, succeeded: 5, failed: 0, total_devices: 1000, status_breakdown: counts({ SUCCESS: 5 }), actual_rate: 3 };
  const { campaigns, unknown } = patchList(known, [change, { ...change, id: 9 }]);
  expect(campaigns.map(({ id, status, name }) => [id, status, name])).toEqual([[2, "RUNNING", "Thermostat 2.1.0"], [1, "PAUSED", "Thermostat 2.1.0"]]);
  expect(unknown).toEqual([9]);
});
