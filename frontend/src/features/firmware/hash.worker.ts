/** SHA-256 of a file, chunk by chunk, beside the page. */
import { createSHA256 } from "hash-wasm";

export type HashAnswer = { part: number } | { sha256: string } | { failed: true };

const CHUNK = 4 << 20;

async function hash(file: File) {
  const sha = await createSHA256();
  sha.init();
  for (let at = 0; at < file.size; at += CHUNK) {
    sha.update(new Uint8Array(await file.slice(at, at + CHUNK).arrayBuffer()));
    postMessage({ part: Math.min(1, (at + CHUNK) / file.size) } satisfies HashAnswer);
  }
  postMessage({ sha256: sha.digest() } satisfies HashAnswer);
}

onmessage = ({ data }: MessageEvent<File>) => {
  hash(data).catch(() => postMessage({ failed: true } satisfies HashAnswer));
};
