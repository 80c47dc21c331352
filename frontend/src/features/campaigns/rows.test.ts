import { expect, test } from "vitest";
import { eachOnce, skippable, statesToAsk } from "./rows";

test("a device that moved between two pages is shown once, as it was read last", () => {
  const rows = [
    { device_id: "a", status: "INSTALLING" },
    { device_id: "b", status: "QUEUED" },
    { device_id: "a", status: "SUCCESS" },
  ];
  expect(eachOnce(rows)).toEqual([
    { device_id: "a", status: "SUCCESS" },
    { device_id: "b", status: "QUEUED" },
  ]);
});

test("states are asked for worst first, and only those that devices are in", () => {
  expect(statesToAsk("", "", { SUCCESS: 5, FAILED: 1, PENDING: 0, INSTALLING: 2 })).toEqual(["FAILED", "INSTALLING", "SUCCESS"]);
});

test("a chosen state is asked for alone, and a search looks at all at once", () => {
  expect(statesToAsk("SUCCESS", "gw-7", { SUCCESS: 5, FAILED: 1 })).toEqual(["SUCCESS"]);
  expect(statesToAsk("", "gw-7", { SUCCESS: 5, FAILED: 1 })).toEqual([""]);
  expect(statesToAsk("", "offline", { SUCCESS: 5, FAILED: 1 })).toEqual([""]);
});

test("a device is taken out while it waits, and at work only of an aborted campaign", () => {
  expect((["CREATED", "RUNNING", "PAUSED", "ABORTED"] as const).map((campaign) => skippable("PENDING", campaign))).toEqual(Array(4).fill("waiting"));
  expect(skippable("QUEUED", "RUNNING")).toBe("queued");
  for (const status of ["DISPATCHED", "DOWNLOADING", "INSTALLING"] as const) expect([skippable(status, "RUNNING"), skippable(status, "PAUSED"), skippable(status, "ABORTED")]).toEqual([null, null, "atWork"]);
  for (const status of ["SUCCESS", "FAILED", "SKIPPED"] as const) expect(skippable(status, "ABORTED")).toBeNull();
});
