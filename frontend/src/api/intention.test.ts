import { expect, test } from "vitest";
import { Intention } from "./intention";

const keyOf = (intention: Intention, wish: unknown) => intention.headers(wish)["Idempotency-Key"];

test("the same wish keeps its key until it is fulfilled", () => {
  const intention = new Intention();
  const first = keyOf(intention, { name: "a", stages: [{ share: 0.1 }] });
  expect(keyOf(intention, { name: "a", stages: [{ share: 0.1 }] })).toBe(first);
  intention.fulfilled();
  expect(keyOf(intention, { name: "a", stages: [{ share: 0.1 }] })).not.toBe(first);
});

test("another wish has another key", () => {
  const intention = new Intention();
  expect(keyOf(intention, ["pause", 7])).not.toBe(keyOf(intention, ["pause", 8]));
});

test("two files of the same length are two wishes, and the same file is one", () => {
  const intention = new Intention();
  const [one, other] = [new Blob(["a"]), new Blob(["b"])];
  const first = keyOf(intention, { csv: one });
  expect(keyOf(intention, { csv: one })).toBe(first);
  expect(keyOf(intention, { csv: other })).not.toBe(first);
});

test("a wish without values has a key that the server takes", () => {
  expect(keyOf(new Intention(), undefined)).toMatch(/^[0-9a-f]{32}$/);
});
