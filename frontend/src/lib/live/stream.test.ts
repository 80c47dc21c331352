// @vitest-environment node
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Connection } from "./stream";

/** A real server of events, which a test can cut off. */
let server: Server;
let url: string;
let open: ServerResponse[];
let asked: (string | undefined)[];
let answer: number;
let stop: () => void;

/** As much of a page as a stream looks at: whether it is in sight. */
const page = Object.assign(new EventTarget(), { hidden: false });
vi.stubGlobal("document", page);
vi.stubGlobal("location", { origin: "http://127.0.0.1" });
const { backoff, follow } = await import("./stream");

function show(visible: boolean) {
  page.hidden = !visible;
  page.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(async () => {
  page.hidden = false;
  open = [];
  asked = [];
  answer = 200;
  server = createServer((request, response) => {
    asked.push(request.headers["last-event-id"] as string | undefined);
    response.writeHead(answer, { "Content-Type": answer === 200 ? "text/event-stream" : "application/problem+json" });
    if (answer !== 200) return response.end(JSON.stringify({ title: "There is no such campaign" }));
    open.push(response);
    return response.write('id: 5\nevent: campaign\ndata: {"epoch": 1}\n\n');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
});

afterEach(async () => {
  stop();
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

function listen() {
  const seen = { events: [] as unknown[], states: [] as Connection["state"][], recovered: 0 };
  stop = follow(url, {
    event: (name, data) => seen.events.push([name, data]),
    connection: ({ state }) => seen.states.push(state),
    recovered: () => {
      seen.recovered += 1;
    },
  });
  return seen;
}

test("events arrive, beats only keep the connection live", async () => {
  const seen = listen();
  await vi.waitFor(() => expect(seen.events).toHaveLength(1));
  open[0]!.write('event: beat\ndata: {"at": "now"}\n\n');
  open[0]!.write('id: 6\nevent: campaign\ndata: {"epoch": 2}\n\n');
  await vi.waitFor(() => expect(seen.events).toEqual([["campaign", { epoch: 1 }], ["campaign", { epoch: 2 }]]));
  expect(seen.states[0]).toBe("connecting");
  expect(seen.states.at(-1)).toBe("live");
});

test("a lost connection is told, and heals where it stopped", async () => {
  const seen = listen();
  await vi.waitFor(() => expect(seen.events).toHaveLength(1));
  open[0]!.destroy();
  await vi.waitFor(() => expect(seen.states).toContain("lost"));
  await vi.waitFor(() => expect(seen.states.at(-1)).toBe("live"), { timeout: 5000 });
  expect(asked).toEqual([undefined, "5"]);
  expect(seen.recovered).toBe(1);
});

test("a campaign that is gone is not asked for again", async () => {
  answer = 404;
  const seen = listen();
  await vi.waitFor(() => expect(seen.states.at(-1)).toBe("gone"));
  expect(asked).toHaveLength(1);
});

test("nothing is open while the tab is hidden; what was missed is read when it is shown again", async () => {
  const seen = listen();
  await vi.waitFor(() => expect(seen.events).toHaveLength(1));
  show(false);
  await vi.waitFor(() => expect(open[0]!.destroyed).toBe(true));
  expect(asked).toHaveLength(1);
  expect(seen.states).not.toContain("lost");
  show(true);
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  await vi.waitFor(() => expect(seen.recovered).toBe(1));
});

test("tries come back slower and slower, never all at once, at most every 10 s", () => {
  expect([0, 1, 2].map((tries) => backoff(tries, 1))).toEqual([500, 1000, 2000]);
  expect(backoff(30, 1)).toBe(10_000);
  expect(backoff(3, 0)).toBe(backoff(3, 1) / 2);
});
