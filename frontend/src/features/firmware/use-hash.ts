/** A chosen file's SHA-256 as it is computed. */
import { useEffect, useState } from "react";
import type { HashAnswer } from "./hash.worker";

export type Hashing = { state: "none" } | { state: "reading"; part: number } | { state: "done"; sha256: string } | { state: "failed" };

export function useHash(file: File | null): Hashing {
  const [hashing, setHashing] = useState<Hashing>({ state: "none" });
  useEffect(() => {
    if (!file) return undefined;
    setHashing({ state: "reading", part: 0 });
    const worker = new Worker(new URL("./hash.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<HashAnswer>) => {
      if ("part" in data) setHashing({ state: "reading", part: data.part });
      else setHashing("sha256" in data ? { state: "done", sha256: data.sha256 } : { state: "failed" });
    };
    worker.onerror = () => setHashing({ state: "failed" });
    worker.postMessage(file);
    return () => worker.terminate();
  }, [file]);
  return hashing;
}
