//! Why a request was refused: one enum for the body, the metric, the response-code
//! details and the documentation.

/// What a caller is told, and with which status. Stable names: clients match on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicReason {
    /// The name in the body, for instance `token_expired`.
    pub name: &'static str,
    /// The HTTP status unless the policy maps it to another.
    pub status: u16,
    /// The sentence in the body unless the policy words it otherwise.
    pub message: &'static str,
}

macro_rules! reasons {
    (
        public { $( $public:ident = $pname:literal, $status:literal, $message:literal; )* }
        detailed { $( $(#[doc = $doc:literal])* $reason:ident => $of:ident, $name:literal; )* }
    ) => {
        $(
            #[doc = concat!("`", $pname, "`: ", $message, ".")]
            pub const $public: PublicReason =
                PublicReason { name: $pname, status: $status, message: $message };
        )*

        /// Every public reason of the policy language, in the order of their statuses.
        pub const PUBLIC_REASONS: &[PublicReason] = &[$($public),*];

        /// The detailed reason of a refusal: what the operator sees.
        ///
        /// It differs from the public one only where telling would help an attacker.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $( $(#[doc = $doc])* $reason, )*
        }

        impl Reason {
            /// Every detailed reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$reason),*];

            /// What the caller is told.
            pub const fn public(self) -> PublicReason {
                match self { $( Reason::$reason => $of, )* }
            }

            /// The name in metrics, logs and response-code details.
            pub const fn name(self) -> &'static str {
                match self { $( Reason::$reason => $name, )* }
            }

            /// When it is given, in a sentence: for the documentation and the operator.
            pub const fn description(self) -> &'static str {
                match self { $( Reason::$reason => concat!($($doc),*).trim_ascii(), )* }
            }
        }
    };
}

reasons! {
    public {
        PATH_INVALID = "path_invalid", 400, "The request path is not acceptable";
        HEADER_FORBIDDEN = "header_forbidden", 400, "The request carries a header that is reserved for the gateway";
        CREDENTIALS_DUPLICATED = "credentials_duplicated", 400, "More than one credential was presented";
        BODY_MALFORMED = "body_malformed", 400, "The request body is malformed";
        GRANT_UNSUPPORTED = "grant_unsupported", 400, "The grant type is not supported";
        CREDENTIALS_MISSING = "credentials_missing", 401, "Credentials are required";
        CREDENTIALS_MISMATCH = "credentials_mismatch", 401, "The credentials do not belong together";
        TOKEN_MALFORMED = "token_malformed", 401, "The token is malformed";
        TOKEN_ALGORITHM = "token_algorithm", 401, "The token's algorithm is not accepted";
        TOKEN_INVALID = "token_invalid", 401, "The token is not valid";
        TOKEN_EXPIRED = "token_expired", 401, "The token has expired";
        TOKEN_NOT_YET_VALID = "token_not_yet_valid", 401, "The token is not valid yet";
        TOKEN_LIFETIME = "token_lifetime", 401, "The token's lifetime is too long";
        TOKEN_ISSUER = "token_issuer", 401, "The token's issuer is not accepted";
        TOKEN_AUDIENCE = "token_audience", 401, "The token is meant for another audience";
        TOKEN_CLAIMS = "token_claims", 401, "The token's claims are not accepted";
        API_KEY_INVALID = "api_key_invalid", 401, "The API key is not valid";
        CLIENT_INVALID = "client_invalid", 401, "The client or its secret is not valid";
        ASSERTION_INVALID = "assertion_invalid", 401, "The assertion is not valid";
        EXCHANGE_REFUSED = "exchange_refused", 401, "The client or its secret is not valid";
        NO_RULE = "no_rule", 403, "This is not allowed";
        SCOPE_MISSING = "scope_missing", 403, "A required scope is missing";
        BINDING_MISMATCH = "binding_mismatch", 403, "The credentials do not belong to this resource";
        NOT_ALLOWED = "not_allowed", 403, "This is not allowed";
        NETWORK_DENIED = "network_denied", 403, "This network is not allowed";
        LOOKUP_DENIED = "lookup_denied", 403, "This is not allowed";
        BODY_TOO_LARGE = "body_too_large", 413, "The request body is too large";
        RATE_LIMITED = "rate_limited", 429, "Too many requests";
        EXCHANGE_LIMITED = "exchange_limited", 429, "Too many requests";
        CREDENTIAL_UNAVAILABLE = "credential_unavailable", 502, "The gateway could not authenticate to the upstream";
        KEYS_UNAVAILABLE = "keys_unavailable", 503, "The token cannot be checked at the moment";
        EXCHANGE_UNAVAILABLE = "exchange_unavailable", 503, "The credentials cannot be checked at the moment";
        LOOKUP_UNAVAILABLE = "lookup_unavailable", 503, "The client cannot be looked up at the moment";
        OVERLOADED = "overloaded", 503, "The gateway is overloaded";
    }
    detailed {
        /// The path is missing, ambiguous or holds characters that could hide another path.
        PathInvalid => PATH_INVALID, "path_invalid";
        /// The host is missing, or text that two programs could read differently.
        HostInvalid => PATH_INVALID, "host_invalid";
        /// The host showed fewer headers than the request carries, or headers that can't be read.
        HeaderForbidden => HEADER_FORBIDDEN, "header_forbidden";
        /// A repeated credential, a comma list, or several different ones.
        CredentialsDuplicated => CREDENTIALS_DUPLICATED, "credentials_duplicated";
        /// The body of a token request isn't what the policy says.
        BodyMalformed => BODY_MALFORMED, "body_malformed";
        /// The body of a token request didn't come within 10 seconds.
        BodyTimeout => BODY_MALFORMED, "body_timeout";
        /// A token request of another grant type than client_credentials.
        GrantUnsupported => GRANT_UNSUPPORTED, "grant_unsupported";
        /// No source that the rule's authenticators name holds a credential.
        CredentialsMissing => CREDENTIALS_MISSING, "credentials_missing";
        /// The members of an `all` name different tenants, or the client that is to get a token belongs to another one.
        CredentialsMismatch => CREDENTIALS_MISMATCH, "credentials_mismatch";
        /// Not a compact JWS with canonical base64url and strict JSON.
        TokenMalformed => TOKEN_MALFORMED, "token_malformed";
        /// `alg` isn't listed in the policy, or unknown.
        TokenAlgorithm => TOKEN_ALGORITHM, "token_algorithm";
        /// The signature doesn't verify.
        TokenSignature => TOKEN_INVALID, "token_signature";
        /// No key fits the token's `kid` and algorithm.
        KeyUnknown => TOKEN_INVALID, "key_unknown";
        /// `exp` has passed.
        TokenExpired => TOKEN_EXPIRED, "token_expired";
        /// `nbf` or `iat` lies in the future.
        TokenNotYetValid => TOKEN_NOT_YET_VALID, "token_not_yet_valid";
        /// Longer than `max_lifetime`.
        TokenLifetime => TOKEN_LIFETIME, "token_lifetime";
        /// `iss` isn't the policy's.
        TokenIssuer => TOKEN_ISSUER, "token_issuer";
        /// `aud` holds none of the policy's.
        TokenAudience => TOKEN_AUDIENCE, "token_audience";
        /// A claim is missing, of the wrong type, or not what the policy demands.
        TokenClaims => TOKEN_CLAIMS, "token_claims";
        /// The header's `typ` isn't one of the policy's.
        TokenType => TOKEN_CLAIMS, "token_type";
        /// The client that a token names doesn't exist or is disabled.
        TokenClient => TOKEN_INVALID, "token_client";
        /// The key hasn't the shape that `prefix` demands.
        ApiKeyMalformed => API_KEY_INVALID, "api_key_malformed";
        /// No client holds this key.
        ApiKeyUnknown => API_KEY_INVALID, "api_key_unknown";
        /// The key's `expires` has passed.
        ApiKeyExpired => API_KEY_INVALID, "api_key_expired";
        /// The key's `not_before` lies in the future.
        ApiKeyNotYetValid => API_KEY_INVALID, "api_key_not_yet_valid";
        /// The key is marked `revoked`.
        ApiKeyRevoked => API_KEY_INVALID, "api_key_revoked";
        /// The key belongs to another tenant than `require_tenant` says.
        ApiKeyTenant => API_KEY_INVALID, "api_key_tenant";
        /// The key's client is disabled.
        ApiKeyClientDisabled => API_KEY_INVALID, "api_key_client_disabled";
        /// The pair can't be one: empty, too long, or not decodable.
        ClientMalformed => CLIENT_INVALID, "client_malformed";
        /// No client has this id.
        ClientUnknown => CLIENT_INVALID, "client_unknown";
        /// The secret is none of the client's.
        ClientSecret => CLIENT_INVALID, "client_secret";
        /// The secret is the client's, but revoked, expired, or not yet valid.
        ClientExpired => CLIENT_INVALID, "client_expired";
        /// The client proved itself, but is disabled.
        ClientDisabled => CLIENT_INVALID, "client_disabled";
        /// The assertion isn't a compact JWS with strict JSON in it.
        AssertionMalformed => ASSERTION_INVALID, "assertion_malformed";
        /// The assertion's `alg` isn't listed in the policy, or unknown.
        AssertionAlgorithm => ASSERTION_INVALID, "assertion_algorithm";
        /// No client has the id that the assertion or the request names.
        AssertionClient => ASSERTION_INVALID, "assertion_client";
        /// No live key of the client fits the assertion's `kid` and algorithm.
        AssertionKey => ASSERTION_INVALID, "assertion_key";
        /// No key of the client proves the assertion's signature.
        AssertionSignature => ASSERTION_INVALID, "assertion_signature";
        /// `iss`, `sub` and the client's id aren't one and the same.
        AssertionIssuer => ASSERTION_INVALID, "assertion_issuer";
        /// The assertion's `aud` holds none of the policy's.
        AssertionAudience => ASSERTION_INVALID, "assertion_audience";
        /// The assertion's `exp` has passed.
        AssertionExpired => ASSERTION_INVALID, "assertion_expired";
        /// The assertion's `nbf` or `iat` lies in the future.
        AssertionNotYetValid => ASSERTION_INVALID, "assertion_not_yet_valid";
        /// The assertion is good for longer than `max_lifetime`.
        AssertionLifetime => ASSERTION_INVALID, "assertion_lifetime";
        /// `exp`, `iat` or a `jti` that is required is missing, or a claim has the wrong type.
        AssertionClaims => ASSERTION_INVALID, "assertion_claims";
        /// An assertion of this `jti` was used before.
        AssertionReplayed => ASSERTION_INVALID, "assertion_replayed";
        /// The token endpoint refused the caller's pair.
        ExchangeRefused => EXCHANGE_REFUSED, "exchange_refused";
        /// No rule matches: refused by default.
        NoRule => NO_RULE, "no_rule";
        /// A scope that the rule demands is missing.
        ScopeMissing => SCOPE_MISSING, "scope_missing";
        /// A path variable isn't what `bind` demands.
        BindingMismatch => BINDING_MISMATCH, "binding_mismatch";
        /// `allow_if` said no, or could not be evaluated.
        NotAllowed => NOT_ALLOWED, "not_allowed";
        /// A header for the upstream would hold CR, LF, NUL or another control character.
        HeaderValue => NOT_ALLOWED, "header_value";
        /// The caller's address lies in none of `networks`.
        NetworkDenied => NETWORK_DENIED, "network_denied";
        /// The database doesn't know the client.
        LookupUnknown => LOOKUP_DENIED, "lookup_unknown";
        /// The look-up's `allow_if` said no, or could not be evaluated.
        LookupDenied => LOOKUP_DENIED, "lookup_denied";
        /// The body of a token request has more than 16 KiB.
        BodyTooLarge => BODY_TOO_LARGE, "body_too_large";
        /// More calls than `limit` allows.
        RateLimited => RATE_LIMITED, "rate_limited";
        /// The token endpoint answered 429; its Retry-After is passed on.
        ExchangeLimited => EXCHANGE_LIMITED, "exchange_limited";
        /// The gateway's own pair was refused.
        CredentialUnavailable => CREDENTIAL_UNAVAILABLE, "credential_unavailable";
        /// There is no key set to judge by, and none could be fetched.
        KeysUnavailable => KEYS_UNAVAILABLE, "keys_unavailable";
        /// The token endpoint failed, or is left alone because it did.
        ExchangeUnavailable => EXCHANGE_UNAVAILABLE, "exchange_unavailable";
        /// The proxy could not reach the token endpoint.
        ExchangeUnreachable => EXCHANGE_UNAVAILABLE, "exchange_unreachable";
        /// The token endpoint did not answer in time.
        ExchangeTimeout => EXCHANGE_UNAVAILABLE, "exchange_timeout";
        /// The request to the token endpoint could not be made of what the caller sent.
        ExchangeUnevaluable => EXCHANGE_UNAVAILABLE, "exchange_unevaluable";
        /// The token endpoint answered 200 with something that is no usable token.
        ExchangeReply => EXCHANGE_UNAVAILABLE, "exchange_reply";
        /// The database can't be asked, or its answer is no JSON object.
        LookupUnavailable => LOOKUP_UNAVAILABLE, "lookup_unavailable";
        /// A call could not be counted against its limit.
        LimitUncounted => OVERLOADED, "limit_uncounted";
        /// The table of used assertions has no room for another live one of this client's.
        ReplayFull => OVERLOADED, "replay_full";
        /// An assertion could not be written down as used.
        ReplayUnrecorded => OVERLOADED, "replay_unrecorded";
        /// The proxy doesn't show request bodies: the filter's `allow_on_headers_stop_iteration` is not set.
        BodyWithheld => OVERLOADED, "body_withheld";
        /// Too many requests wait for callouts or for their bodies.
        Overloaded => OVERLOADED, "overloaded";
        /// The filter is between two policies or could not do what it must: refused, never passed.
        Internal => OVERLOADED, "internal";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_plain() {
        let mut seen = BTreeSet::new();
        for reason in Reason::ALL {
            assert!(seen.insert(reason.name()), "{} twice", reason.name());
            assert!(
                reason
                    .name()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            );
        }
    }

    #[test]
    fn every_reason_has_a_public_one_with_an_error_status() {
        for reason in Reason::ALL {
            assert!(PUBLIC_REASONS.contains(&reason.public()), "{reason:?}");
        }
        for public in PUBLIC_REASONS {
            assert!((400..600).contains(&public.status), "{}", public.name);
        }
    }
}
