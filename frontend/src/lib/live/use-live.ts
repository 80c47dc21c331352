/** A stream for as long as a page is open, and the time that clocks derive from. */
import { useEffect, useRef, useState } from "react";
import { follow, type Connection, type Listener } from "./stream";

export function useStream(url: string | null, on: Pick<Listener, "event" | "recovered">): Connection {
  const [connection, setConnection] = useState<Connection>({ state: "connecting" });
  const latest = useRef(on);
  useEffect(() => {
    latest.current = on;
  });
  useEffect(() => {
    if (!url) return undefined;
    return follow(url, {
      event: (name, data) => latest.current.event(name, data),
      recovered: () => latest.current.recovered(),
      connection: (next) => setConnection((known) => (known.state === next.state && next.state !== "lost" ? known : next)),
    });
  }, [url]);
  return connection;
}

/** The time, once a second. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** `value`, once it has rested for `ms`. */
export function useRested<T>(value: T, ms = 250): T {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return rested;
}
