import { expect, test } from "vitest";
import { t } from "@/lib/texts.en";
import { campaign } from "./fixtures";
import { heldBack } from "./waits";

const waiting = { offline: 312, refused: 0, retry: 1 };

test("only what devices wait for is named", () => {
  expect(heldBack(campaign({ waiting }))).toEqual([{ wait: "offline", n: 312 }, { wait: "retry", n: 1 }]);
  expect(heldBack(campaign())).toEqual([]);
});

test("a campaign that has ended holds nobody back", () => {
  expect(heldBack(campaign({ status: "ABORTED", waiting }))).toEqual([]);
  expect(heldBack(campaign({ status: "PAUSED", waiting }))).toHaveLength(2);
});

test("a server that is not upgraded yet counts none", () => {
  expect(heldBack({ ...campaign(), waiting: undefined! })).toEqual([]);
});

test("what happens next is said in one or in many", () => {
  expect(t.heldBack.offline(1)).toEqual(["1 offline", "sent again after a pause that grows to an hour, or as soon as it is heard"]);
  expect(t.heldBack.offline(1200)).toEqual(["1,200 offline", "sent again after a pause that grows to an hour, or as soon as they are heard"]);
});
