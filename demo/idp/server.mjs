// The OAuth server of the demo and the tests: oidc-provider with the client credentials grant,
// JWT access tokens that look like Amazon Cognito's, and published keys.
//
// Settings, each by environment variable:
//   HOST      address to listen on                                  127.0.0.1
//   PORT      port to listen on, 0 for a free one                   0
//   ISSUER    the `iss` of its tokens                               http://HOST:PORT
//   TTL       life of an access token in seconds                    3600
//   CLIENTS   JSON: [{"id", "secret", "scopes"?, "auth"?, "alg"?, "ttl"?}]
//             auth is a token endpoint authentication method (default client_secret_basic),
//             alg is RS256 (default) or ES256, ttl overrides TTL.
//   EXIT_WITH_STDIN  when 1, ends as soon as its standard input closes
//
// A request may also ask for ES256 by `resource=urn:doorward:es256`.
// Prints `ready PORT` once it listens. `GET /__stats` counts what was asked of it, tokens by client too (as HTTP
// Basic names it, right secret or not).
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import Provider from "oidc-provider";

const { HOST = "127.0.0.1", PORT = "0", TTL = "3600", CLIENTS, ISSUER, EXIT_WITH_STDIN } = process.env;

const RESOURCES = { "urn:doorward:rs256": "RS256", "urn:doorward:es256": "ES256" };
const DEFAULT_RESOURCE = "urn:doorward:rs256";
const DEMO_CLIENTS = [{ id: "orders-app", secret: "orders-secret" }];

const clients = CLIENTS ? JSON.parse(CLIENTS) : DEMO_CLIENTS;
const settingsOf = new Map(clients.map((client) => [client.id, client]));
const scopes = [...new Set(clients.flatMap((client) => client.scopes ?? []))];

function signingKey(type, options, alg) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), use: "sig", alg, kid: `demo-${alg.toLowerCase()}` };
}

const stats = { token: 0, jwks: 0, other: 0, token_by_status: {}, token_by_client: {} };
let answer;

// RFC 6749 section 2.3.1: the id is form-encoded before it's joined with the secret.
function basicClient(request) {
  const [, encoded] = /^Basic (\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
  const [id] = encoded ? Buffer.from(encoded, "base64").toString().split(":") : [];
  try {
    return id && decodeURIComponent(id.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

const server = createServer((request, response) => {
  const path = new URL(request.url, "http://idp").pathname;
  if (path === "/__stats") {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(stats));
    return;
  }
  if (path === "/token") {
    stats.token += 1;
    const client = basicClient(request);
    if (client !== undefined) stats.token_by_client[client] = (stats.token_by_client[client] ?? 0) + 1;
    response.once("finish", () => {
      const status = response.statusCode;
      stats.token_by_status[status] = (stats.token_by_status[status] ?? 0) + 1;
    });
  } else if (path === "/jwks") stats.jwks += 1;
  else stats.other += 1;
  answer(request, response);
});

server.listen(Number(PORT), HOST);
await once(server, "listening");
const { port } = server.address();

const provider = new Provider(ISSUER ?? `http://${HOST}:${port}`, {
  clients: clients.map(({ id, secret, auth = "client_secret_basic", scopes: own }) => ({
    client_id: id,
    client_secret: secret,
    token_endpoint_auth_method: auth,
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
    ...(own && { scope: own.join(" ") }),
  })),
  scopes,
  jwks: {
    keys: [
      signingKey("rsa", { modulusLength: 2048 }, "RS256"),
      signingKey("ec", { namedCurve: "P-256" }, "ES256"),
    ],
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => DEFAULT_RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource, client) => {
        const settings = settingsOf.get(client.clientId) ?? {};
        return {
          audience: resource,
          scope: scopes.join(" "),
          accessTokenFormat: "jwt",
          accessTokenTTL: settings.ttl ?? Number(TTL),
          jwt: { sign: { alg: settings.alg ?? RESOURCES[resource] ?? "RS256" } },
        };
      },
    },
  },
  // Cognito's access tokens carry these two; oidc-provider sets client_id by itself.
  extraTokenClaims: () => ({ token_use: "access" }),
});
provider.on("server_error", (_context, error) => console.error(error));
answer = provider.callback();

if (EXIT_WITH_STDIN === "1") {
  process.stdin.resume().on("end", () => process.exit(0)).on("error", () => process.exit(0));
} else {
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
}
console.log(`ready ${port}`);
