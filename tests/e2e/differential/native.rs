//! Where Envoy's `jwt_authn` (the version that `xtask::envoy::VERSION` names) does something else than the RFCs ask.

/// Tokens of one family that it judges wrongly.
pub struct Deviation {
    pub family: &'static str,
    /// How many of the family.
    pub tokens: usize,
    pub why: &'static str,
}

/// All of them, in the families' order.
pub const DEVIATIONS: &[Deviation] = &[
    Deviation {
        family: "typ that is no string",
        tokens: 30,
        why: "`typ` is not read",
    },
    Deviation {
        family: "alg of another key",
        tokens: 64,
        why: "where a JWK has no `alg`, secrets, P-256 and Ed25519 keys verify as what they are, whatever the header's `alg` says",
    },
    Deviation {
        family: "crit",
        tokens: 144,
        why: "`crit` is not read",
    },
    Deviation {
        family: "b64 as critical extension",
        tokens: 12,
        why: "`crit` is not read",
    },
    Deviation {
        family: "header that is no JSON object",
        tokens: 24,
        why: "the JSON reader takes single quotes, names without quotes, a trailing comma and raw control characters",
    },
    Deviation {
        family: "payload that is no JSON",
        tokens: 36,
        why: "as in the header",
    },
    Deviation {
        family: "another aud",
        tokens: 36,
        why: "audiences are compared without `https://` and a trailing slash",
    },
    Deviation {
        family: "not three segments",
        tokens: 30,
        why: "empty segments are skipped wherever they stand",
    },
    Deviation {
        family: "bits behind the end of a segment",
        tokens: 195,
        why: "unused bits are not looked at, so that a token has several spellings",
    },
    Deviation {
        family: "padding",
        tokens: 17,
        why: "padding is taken where it is complete",
    },
    Deviation {
        family: "characters outside of base64url",
        tokens: 38,
        why: "blanks and tabs inside a segment are skipped",
    },
    Deviation {
        family: "signature of another length",
        tokens: 4,
        why: "an ECDSA signature is cut in halves of any length, and an odd last byte ignored",
    },
    Deviation {
        family: "ECDSA in another form",
        tokens: 4,
        why: "an ECDSA signature is cut in halves of any length, so r and s may have zeros in front",
    },
];

/// Of each family about which the RFCs leave it open, how many tokens it accepts.
pub const OPEN: &[(&str, usize)] = &[
    ("kid of another key", 0),
    ("unknown kid", 6),
    ("b64 without crit", 30),
    ("a header member twice", 0),
    ("header that programs read differently", 0),
    ("more than 32 header members", 6),
    ("payload that programs read differently", 0),
    ("a claim twice", 0),
    ("nested deeper than 32 levels", 18),
    ("longer than 8 KiB", 12),
    ("exp in the year 10000 or later", 24),
    ("iat to come", 30),
    ("nbf or iat before 1970", 0),
];
