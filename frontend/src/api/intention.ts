/** An intention of a person, and the key by which the server knows it again however often it is sent. */
import { useMutation, type UseMutationOptions } from "@tanstack/react-query";
import { useState } from "react";
import { Refusal } from "./problem";

// A type, not an interface: only a type is also a record of headers.
export type Once = { "Idempotency-Key": string };

/** Not `crypto.randomUUID`, which a page without https does not have. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const blobs = new WeakMap<Blob, string>();
const named = (_: string, value: unknown) => {
  if (!(value instanceof Blob)) return value;
  if (!blobs.has(value)) blobs.set(value, newKey());
  return blobs.get(value);
};

/** The same wish has the same key until it is fulfilled; another wish, or the same one later, a new one. */
export class Intention {
  private wish = "";
  private key = "";

  headers(of: unknown): Once {
    const wish = JSON.stringify(of, named) ?? "";
    if (!this.key || wish !== this.wish) [this.wish, this.key] = [wish, newKey()];
    return { "Idempotency-Key": this.key };
  }

  fulfilled() {
    this.key = "";
  }
}

/** No answer came, or a part behind the gateway was away: nobody knows whether it was done. */
const isUnknown = (error: Error) => error instanceof Refusal && [0, 502, 503, 504].includes(error.status);

/**
 * A mutation that the server does once. `about`: what the wish refers to besides its values, such as a campaign's epoch; when
 * that has changed, the same words are another wish. Where no answer came it is sent again by itself, under the same key.
 */
export function useIntention<Answer, Asked = void>(
  send: (asked: Asked, once: Once) => Promise<Answer>,
  { about, ...options }: Omit<UseMutationOptions<Answer, Error, Asked>, "mutationFn" | "retry"> & { about?: unknown } = {},
) {
  const [intention] = useState(() => new Intention());
  return useMutation({
    ...options,
    mutationFn: async (asked: Asked) => {
      const answer = await send(asked, intention.headers([asked, about]));
      intention.fulfilled();
      return answer;
    },
    retry: (failures, error) => failures < 2 && isUnknown(error),
  });
}
