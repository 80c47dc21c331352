/** The one way to the server: a typed client that carries the session's token and turns every refusal into an error. */
import createClient from "openapi-fetch";
import type { paths as CampaignPaths } from "./campaign";
import type { paths as CatalogPaths } from "./catalog";
import { Refusal } from "./problem";

interface Bearer {
  token: () => string | null;
  /** The server does not know the token any more. */
  expired: () => void;
}

let bearer: Bearer = { token: () => null, expired: () => {} };
export const setBearer = (of: Bearer) => {
  bearer = of;
};

const TIMEOUT_MS = 30_000;

/** `fetch` with the token; raises Refusal for every answer that is not a success, and when there is none. */
export async function fetchApi(input: string | Request, init: RequestInit = {}): Promise<Response> {
  const request = new Request(input, init);
  const token = bearer.token();
  if (token) request.headers.set("Authorization", `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (request.signal.aborted && !(request.signal.reason instanceof DOMException && request.signal.reason.name === "TimeoutError")) throw error;
    throw Refusal.unreachable();
  }
  if (response.status === 401) bearer.expired();
  if (!response.ok) throw Refusal.of(response.status, await response.json().catch(() => null), response.headers.get("X-Request-Id"));
  return response;
}

const withTimeout = (request: Request) => fetchApi(new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]) }));

export const api = createClient<CampaignPaths & CatalogPaths>({ baseUrl: location.origin, fetch: withTimeout });

/** The body of a successful answer. */
export async function body<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}
