// An identity provider for the sign-in's test: a real one, with one client, whoever signs in being an operator of acme.
import { Provider } from "oidc-provider";

const { ISSUER, PORT, CONSOLE_URL } = process.env;
const AUDIENCE = "pulse-ota";

const provider = new Provider(ISSUER, {
  clients: [
    {
      client_id: "console",
      application_type: "web",
      token_endpoint_auth_method: "none",
      redirect_uris: [`${CONSOLE_URL}/app/signed-in`],
      post_logout_redirect_uris: [`${CONSOLE_URL}/app/sign-in`],
    },
  ],
  clientBasedCORS: (_context, origin) => origin === CONSOLE_URL,
  pkce: { required: () => true },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  extraTokenClaims: () => ({ tenant_id: "acme", roles: ["operator"] }),
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => `urn:${AUDIENCE}`,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: "campaigns", audience: AUDIENCE, accessTokenFormat: "jwt", accessTokenTTL: 600, jwt: { sign: { alg: "RS256" } } }),
    },
  },
});

provider.listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
