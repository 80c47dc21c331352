/** Who is signed in. Tokens live in memory only; a reload signs in again, by itself where that needs nobody. */
import { useSyncExternalStore } from "react";
import type { UserManager } from "oidc-client-ts";
import { setBearer } from "@/api/client";
import { t } from "@/lib/texts.en";
import { loadConfig, type AuthConfig, type Config } from "./config";

export type Role = "viewer" | "operator" | "approver" | "admin";
export const ROLES: Role[] = ["viewer", "operator", "approver", "admin"];

export interface User {
  name: string;
  tenant: string;
  roles: Role[];
}

export type Session =
  | { phase: "loading" }
  | { phase: "broken"; detail: string }
  | { phase: "out"; config: Config; detail?: string }
  | { phase: "in"; config: Config; user: User };

const REMEMBERED = "pulse.session";
let session: Session = { phase: "loading" };
let token: string | null = null;
let manager: UserManager | null = null;
const watchers = new Set<() => void>();

function become(next: Session) {
  session = next;
  for (const watcher of watchers) watcher();
}

export const useSession = () =>
  useSyncExternalStore(
    (watcher) => (watchers.add(watcher), () => watchers.delete(watcher)),
    () => session,
  );

export function useUser(): User {
  const now = useSession();
  if (now.phase !== "in") throw new Error("nobody is signed in");
  return now.user;
}

/** What a person may do; the server decides the same again. */
export function useMay() {
  const { roles } = useUser();
  const has = (...any: Role[]) => any.some((role) => roles.includes(role));
  return { operate: has("operator", "admin"), approve: has("approver", "admin"), delete: has("admin") };
}

/** The claims of a token, unchecked: to show them. Checking is the server's part. */
export function claims(jwt: string, auth: AuthConfig): User {
  const part = jwt.split(".")[1] ?? "";
  const text = new TextDecoder().decode(Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)));
  const all = JSON.parse(text) as Record<string, unknown>;
  const roles = all[auth.roles_claim ?? "roles"];
  return {
    name: String(all.name ?? all.preferred_username ?? all.sub ?? ""),
    tenant: String(all[auth.tenant_claim ?? "tenant_id"] ?? ""),
    roles: ROLES.filter((role) => Array.isArray(roles) && roles.includes(role)),
  };
}

function enter(jwt: string, config: Config) {
  token = jwt;
  become({ phase: "in", config, user: claims(jwt, config.auth) });
}

function leave(config: Config, detail?: string) {
  token = null;
  sessionStorage.removeItem(REMEMBERED);
  become({ phase: "out", config, detail });
}

function ended() {
  if (session.phase === "in") leave(session.config, t.signIn.ended);
}

setBearer({ token: () => token, expired: ended });

/** Local mode: the stack's own door gives a token for any tenant and role. Raises Error with what it said. */
export async function signInLocally(config: Config, tenant: string, role: Role) {
  const response = await fetch(config.local_token_url!, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ tenant, role }),
  });
  const answer = (await response.json().catch(() => ({}))) as { token?: string; detail?: string };
  if (!response.ok || !answer.token) throw new Error(answer.detail ?? `The sign-in answered with status ${response.status}.`);
  sessionStorage.setItem(REMEMBERED, JSON.stringify({ tenant, role }));
  enter(answer.token, config);
}

const here = () => location.pathname.slice(import.meta.env.BASE_URL.length - 1) + location.search;

export async function signInWithProvider(config: Config, returnTo = here()) {
  sessionStorage.setItem(REMEMBERED, "oidc");
  await (await provider(config)).signinRedirect({ state: { returnTo } });
}

async function provider({ auth }: Config): Promise<UserManager> {
  if (manager) return manager;
  const { InMemoryWebStorage, UserManager, WebStorageStateStore } = await import("oidc-client-ts");
  const base = location.origin + import.meta.env.BASE_URL;
  manager = new UserManager({
    authority: auth.authority!,
    client_id: auth.client_id!,
    redirect_uri: `${base}signed-in`,
    post_logout_redirect_uri: `${base}sign-in`,
    scope: auth.scope ?? "openid profile",
    ...(auth.resource && { resource: auth.resource }),
    userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
    stateStore: new WebStorageStateStore({ store: sessionStorage }),
  });
  manager.events.addUserLoaded((user) => {
    token = user.access_token;
  });
  manager.events.addAccessTokenExpired(ended);
  return manager;
}

async function fromProvider(config: Config) {
  const user = await (await provider(config)).signinRedirectCallback();
  const { returnTo = "/" } = (user.state ?? {}) as { returnTo?: string };
  history.replaceState(null, "", import.meta.env.BASE_URL.slice(0, -1) + returnTo);
  enter(user.access_token, config);
}

export async function signOut() {
  if (session.phase !== "in") return;
  const { config } = session;
  leave(config);
  if (config.auth.mode === "oidc") await (await provider(config)).signoutRedirect().catch(() => undefined);
}

/** Once, at the beginning. */
export async function startSession() {
  let config: Config;
  try {
    config = await loadConfig();
  } catch (error) {
    return become({ phase: "broken", detail: error instanceof Error ? error.message : String(error) });
  }
  try {
    await resume(config);
  } catch (error) {
    leave(config, error instanceof Error ? error.message : String(error));
  }
}

async function resume(config: Config) {
  const remembered = sessionStorage.getItem(REMEMBERED);
  if (config.auth.mode === "oidc") {
    if (here().startsWith("/signed-in")) return fromProvider(config);
    return remembered ? signInWithProvider(config) : become({ phase: "out", config });
  }
  if (!remembered) return become({ phase: "out", config });
  const { tenant, role } = JSON.parse(remembered) as { tenant: string; role: Role };
  return signInLocally(config, tenant, role);
}
