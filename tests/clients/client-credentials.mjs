// A client credentials grant by openid-client: it finds the token endpoint in the issuer's metadata, proves itself,
// and verifies the token that it gets by the issuer's published keys.
//
// Reads {base, issuer, client, auth, secret, key, kid} in JSON from standard input; `base` is where the issuer's host
// is to be found on this machine. Prints {metadata, token, claims}.
import { createPrivateKey } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { createRemoteJWKSet, customFetch as joseFetch, jwtVerify } from 'jose'
import * as client from 'openid-client'

const order = JSON.parse(await text(process.stdin))
const issuer = new URL(order.issuer)

// The issuer's name leads to this machine, as its DNS would.
const local = (url, options) => {
  const { pathname, search, origin } = new URL(url)
  if (origin !== issuer.origin) throw new Error(`${url} is not at ${issuer.origin}`)
  return fetch(new URL(pathname + search, order.base), options)
}

// Node 20 may be told keys in PEM; Web Cryptography wants the bare PKCS#8.
const privateKey = async () => {
  const der = createPrivateKey(order.key).export({ type: 'pkcs8', format: 'der' })
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  return { kid: order.kid, key: await crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']) }
}
const auth = {
  client_secret_basic: () => client.ClientSecretBasic(order.secret),
  client_secret_post: () => client.ClientSecretPost(order.secret),
  private_key_jwt: async () => client.PrivateKeyJwt(await privateKey()),
}[order.auth]

const options = { [client.customFetch]: local, algorithm: order.algorithm ?? 'oauth2' }
const config = await client.discovery(issuer, order.client, undefined, await auth(), options)
const metadata = config.serverMetadata()
const granted = await client.clientCredentialsGrant(config)
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { [joseFetch]: local })
const verified = await jwtVerify(granted.access_token, keys, { issuer: order.issuer, requiredClaims: ['exp', 'iat', 'jti'] })
console.log(JSON.stringify({ metadata, token: granted.access_token, claims: verified.payload }))
