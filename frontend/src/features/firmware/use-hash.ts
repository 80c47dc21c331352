/** A chosen file's SHA-256 as it is computed. */
import { useEffect, useState } from "react";
import type { HashAnswer } from "./hash.worker";

export type Hashing = { state: "none" } | { state: "reading"; part: number } | { state: "done"; sha256: string } | { state: "failed" };

/** What is known, and of which file. */
interface Known {
  file: File;
  hashing: Hashing;
}

export function useHash(file: File | null): Hashing {
  const [known, setKnown] = useState<Known | null>(null);
  useEffect(() => {
    if (!file) return undefined;
    const tell = (hashing: Hashing) => setKnown({ file, hashing });
    const worker = new Worker(new URL("./hash.worker.ts", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<HashAnswer>) => {
      if ("part" in data) tell({ state: "reading", part: data.part });
      else tell("sha256" in data ? { state: "done", sha256: data.sha256 } : { state: "failed" });
    });
    worker.addEventListener("error", () => tell({ state: "failed" }));
    worker.postMessage(file);
    return () => worker.terminate();
  }, [file]);
  if (!file) return { state: "none" };
  return known?.file === file ? known.hashing : { state: "reading", part: 0 };
}
