/** `config.json` beside the console says how people sign in. */
export interface AuthConfig {
  mode: "local" | "oidc";
  authority?: string;
  client_id?: string;
  scope?: string;
  resource?: string;
  tenant_claim?: string;
  roles_claim?: string;
}

export interface Config {
  auth: AuthConfig;
  local_token_url?: string;
}

export async function loadConfig(): Promise<Config> {
  const response = await fetch(`${import.meta.env.BASE_URL}config.json`, { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: the gateway answered with status ${response.status}`);
  const config = (await response.json()) as Partial<Config>;
  const { auth } = config;
  if (auth?.mode === "local" && config.local_token_url) return { auth, local_token_url: config.local_token_url };
  if (auth?.mode === "oidc" && auth.authority && auth.client_id) return { auth };
  throw new Error('config.json: auth must be {"mode": "local"} with local_token_url, or {"mode": "oidc"} with authority and client_id');
}
