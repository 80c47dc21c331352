import { expect, test } from "vitest";
import { eachOnce, statesToAsk } from "./rows";

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
