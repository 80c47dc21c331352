/** Server-sent events over fetch, so that a bearer token can be sent; heals by itself and says how it is. */
import { createParser } from "eventsource-parser";
import { fetchApi } from "@/api/client";
import { Refusal } from "@/api/problem";

/** The server beats every 2 s; so much silence is a loss. */
export const SILENCE_MS = 5_000;
const BACKOFF_MS = { first: 500, most: 10_000 };

export type Connection = { state: "connecting" } | { state: "live" } | { state: "lost"; since: number } | { state: "gone"; refusal: Refusal };

export interface Listener {
  event: (name: string, data: unknown) => void;
  connection: (now: Connection) => void;
  /** A connection is there again after a gap: what was missed must be read. */
  recovered: () => void;
}

/** Milliseconds to wait before try number `tries` (from 0): doubling, with jitter so that a crowd does not return at once. */
export const backoff = (tries: number, random = Math.random()) => Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** tries) * (0.5 + random / 2);

/** Follows `url` until the returned function is called. Nothing is open while the tab is hidden. */
export function follow(url: string, listener: Listener): () => void {
  const ended = new AbortController();
  void run(url, listener, ended.signal);
  return () => ended.abort();
}

async function run(url: string, listener: Listener, ended: AbortSignal) {
  let lastId = "";
  let tries = 0;
  let heard = Date.now();
  let gap = false;
  listener.connection({ state: "connecting" });
  while (!ended.aborted) {
    await visible(ended);
    try {
      await read(url, lastId, ended, (name, data, id) => {
        if (id) lastId = id;
        heard = Date.now();
        if (tries > 0 || gap) listener.recovered();
        tries = 0;
        gap = false;
        listener.connection({ state: "live" });
        if (name !== "beat") listener.event(name, data);
      });
    } catch (error) {
      if (error instanceof Refusal && [401, 403, 404].includes(error.status)) {
        listener.connection({ state: "gone", refusal: error });
        return;
      }
    }
    if (ended.aborted) return;
    gap = true;
    if (document.hidden) continue;
    listener.connection({ state: "lost", since: heard });
    await pause(backoff(tries), ended);
    tries += 1;
  }
}

/** One connection, until it ends, is silent for too long, or the tab is hidden. */
async function read(url: string, lastId: string, ended: AbortSignal, event: (name: string, data: unknown, id: string | undefined) => void) {
  const connection = new AbortController();
  const close = () => connection.abort();
  const hide = () => document.hidden && close();
  document.addEventListener("visibilitychange", hide);
  let watchdog = setTimeout(close, SILENCE_MS);
  try {
    const signal = AbortSignal.any([ended, connection.signal]);
    const headers: Record<string, string> = { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) };
    const response = await fetchApi(url, { headers, signal, cache: "no-store" });
    const parser = createParser({ onEvent: (message) => event(message.event ?? "message", JSON.parse(message.data), message.id) });
    const text = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (let chunk = await text.read(); !chunk.done; chunk = await text.read()) {
      clearTimeout(watchdog);
      watchdog = setTimeout(close, SILENCE_MS);
      parser.feed(chunk.value);
    }
  } finally {
    clearTimeout(watchdog);
    document.removeEventListener("visibilitychange", hide);
  }
}

const pause = (ms: number, ended: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    ended.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

const visible = (ended: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (!document.hidden || ended.aborted) return resolve();
    const look = () => {
      if (document.hidden && !ended.aborted) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    ended.addEventListener("abort", look, { once: true });
  });
