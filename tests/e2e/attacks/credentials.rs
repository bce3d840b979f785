//! Where a token stands, and beside what.

use super::policy::{ES, HS, KEY};
use super::{Attack, get, refused};

pub fn all() -> Vec<Attack> {
    let (good, other) = (HS.good(), ES.good());
    let mut attacks = Vec::new();
    let bearer = format!("Bearer {good}");
    for (name, value) in [
        ("without a scheme", good.clone()),
        ("Basic", format!("Basic {good}")),
        ("Token", format!("Token {good}")),
        ("JWT", format!("JWT {good}")),
        ("Digest", format!("Digest {good}")),
        ("no space", format!("Bearer{good}")),
        ("a colon", format!("Bearer:{good}")),
        ("an equals sign", format!("Bearer={good}")),
        ("a word before", format!("foo {bearer}")),
        ("a no-break space", format!("Bearer\u{a0}{good}")),
        ("DPoP", format!("DPoP {good}")),
        ("a quote before", format!("\"{bearer}\"")),
        ("nothing", String::new()),
        ("Bearers", format!("Bearers {good}")),
    ] {
        attacks.push(refused(
            format!("scheme: {name}"),
            get("/token/x", &[("Authorization", &value)]),
            401,
            "credentials_missing",
        ));
    }
    for (name, value) in [
        ("nothing behind", "Bearer".to_owned()),
        ("blanks behind", "Bearer   ".to_owned()),
        ("two words", format!("Bearer {good} {good}")),
        ("a word behind", format!("{bearer} x")),
        ("a word between", format!("Bearer x {good}")),
        ("Bearer twice", format!("Bearer {bearer}")),
        ("a parameter", format!("{bearer} realm=x")),
        ("a semicolon", format!("{bearer};")),
        ("quotes", format!("Bearer \"{good}\"")),
        ("token=", format!("Bearer token={good}")),
        ("a tab inside", format!("{bearer}\tx")),
        ("angle brackets", format!("Bearer <{good}>")),
    ] {
        attacks.push(refused(
            format!("Bearer: {name}"),
            get("/token/x", &[("Authorization", &value)]),
            401,
            "token_malformed",
        ));
    }
    for (name, headers) in [
        (
            "the same twice",
            vec![
                ("Authorization", bearer.clone()),
                ("Authorization", bearer.clone()),
            ],
        ),
        (
            "a good and a bad one",
            vec![
                ("Authorization", bearer.clone()),
                ("authorization", "Bearer x.y.z".to_owned()),
            ],
        ),
        (
            "a bad and a good one",
            vec![
                ("AUTHORIZATION", "Bearer x.y.z".to_owned()),
                ("Authorization", bearer.clone()),
            ],
        ),
        (
            "Basic beside it",
            vec![
                ("Authorization", "Basic YTpi".to_owned()),
                ("Authorization", bearer.clone()),
            ],
        ),
        (
            "Basic behind it",
            vec![
                ("Authorization", bearer.clone()),
                ("Authorization", "Basic YTpi".to_owned()),
            ],
        ),
        (
            "a list",
            vec![("Authorization", format!("{bearer}, {bearer}"))],
        ),
        (
            "a list of two schemes",
            vec![("Authorization", format!("Basic YTpi, {bearer}"))],
        ),
        (
            "a comma behind",
            vec![("Authorization", format!("{bearer},"))],
        ),
        (
            "a comma before",
            vec![("Authorization", format!(",{bearer}"))],
        ),
        (
            "a list without blanks",
            vec![("Authorization", format!("{bearer},{bearer}"))],
        ),
        (
            "a parameter list",
            vec![("Authorization", format!("{bearer}, realm=\"x\""))],
        ),
    ] {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        attacks.push(refused(
            format!("duplicate: {name}"),
            get("/token/x", &headers),
            400,
            "credentials_duplicated",
        ));
    }
    for (name, target, header) in [
        ("query", format!("/token/x?access_token={good}"), None),
        (
            "X-Token",
            "/token/x".to_owned(),
            Some(("X-Token", good.clone())),
        ),
        (
            "cookie",
            "/token/x".to_owned(),
            Some(("Cookie", format!("token={good}"))),
        ),
        (
            "Proxy-Authorization",
            "/token/x".to_owned(),
            Some(("Proxy-Authorization", bearer.clone())),
        ),
        (
            "X-Authorization",
            "/token/x".to_owned(),
            Some(("X-Authorization", bearer.clone())),
        ),
        (
            "underscore",
            "/token/x".to_owned(),
            Some(("X_Authorization", bearer.clone())),
        ),
        (
            "X-Forwarded-Authorization",
            "/token/x".to_owned(),
            Some(("X-Forwarded-Authorization", bearer.clone())),
        ),
        (
            "an API key",
            "/token/x".to_owned(),
            Some(("X-Api-Key", KEY.to_owned())),
        ),
        (
            "API key as bearer",
            "/key/x".to_owned(),
            Some(("Authorization", format!("Bearer {KEY}"))),
        ),
        (
            "a token where a key belongs",
            "/key/x".to_owned(),
            Some(("Authorization", bearer.clone())),
        ),
        (
            "path parameter",
            format!("/token/x;access_token={good}"),
            None,
        ),
        (
            "query name in other case",
            format!("/everywhere/x?Access_Token={good}"),
            None,
        ),
        (
            "cookie name in other case",
            "/everywhere/x".to_owned(),
            Some(("Cookie", format!("TOKEN={good}"))),
        ),
        (
            "query name with brackets",
            format!("/everywhere/x?access_token[]={good}"),
            None,
        ),
        (
            "cookie in Cookie2",
            "/everywhere/x".to_owned(),
            Some(("Cookie2", format!("token={good}"))),
        ),
        (
            "query name with a blank",
            format!("/everywhere/x?access_token%20={good}"),
            None,
        ),
        (
            "a longer cookie name",
            "/everywhere/x".to_owned(),
            Some(("Cookie", format!("xtoken={good}; token2={good}"))),
        ),
        (
            "an empty value",
            "/everywhere/x?access_token=&token=x".to_owned(),
            None,
        ),
        (
            "a semicolon as separator",
            format!("/everywhere/x?a=b;access_token={good}"),
            None,
        ),
    ] {
        let headers: Vec<_> = header
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        attacks.push(refused(
            format!("wrong place: {name}"),
            get(&target, &headers),
            401,
            "credentials_missing",
        ));
    }
    for (name, target, headers) in [
        (
            "two parameters",
            format!("/everywhere/x?access_token={good}&access_token={good}"),
            vec![],
        ),
        (
            "an encoded name",
            format!("/everywhere/x?access_token={good}&%61ccess_token={other}"),
            vec![],
        ),
        (
            "an empty and a good one",
            format!("/everywhere/x?access_token=&access_token={good}"),
            vec![],
        ),
        (
            "two cookies",
            "/everywhere/x".into(),
            vec![("Cookie", format!("token={good}; token={other}"))],
        ),
        (
            "two cookie headers",
            "/everywhere/x".into(),
            vec![
                ("Cookie", format!("token={good}")),
                ("Cookie", format!("token={other}")),
            ],
        ),
        (
            "header and query",
            format!("/everywhere/x?access_token={other}"),
            vec![("Authorization", bearer.clone())],
        ),
        (
            "header and cookie",
            "/everywhere/x".into(),
            vec![
                ("Authorization", bearer.clone()),
                ("Cookie", format!("token={other}")),
            ],
        ),
        (
            "query and cookie",
            format!("/everywhere/x?access_token={good}"),
            vec![("Cookie", format!("token={other}"))],
        ),
        (
            "two headers",
            "/everywhere/x".into(),
            vec![("X-Token", good.clone()), ("X-Token", good.clone())],
        ),
        (
            "two kinds of headers",
            "/everywhere/x".into(),
            vec![
                ("X-Token", good.clone()),
                ("Authorization", format!("Bearer {other}")),
            ],
        ),
        (
            "a comma in a header",
            "/everywhere/x".into(),
            vec![("X-Token", format!("{good},{good}"))],
        ),
        (
            "a bad one in the query",
            "/everywhere/x?access_token=x".into(),
            vec![("Authorization", bearer.clone())],
        ),
        (
            "a bad one before",
            format!("/everywhere/x?access_token={good}"),
            vec![("Authorization", "Bearer x".to_owned())],
        ),
        (
            "an encoded cookie name",
            "/everywhere/x".into(),
            vec![("Cookie", format!("token={good}; %74oken={other}"))],
        ),
    ] {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        attacks.push(refused(
            format!("several places: {name}"),
            get(&target, &headers),
            400,
            "credentials_duplicated",
        ));
    }
    for (name, value) in [
        ("encoded twice", good.replace('.', "%252e")),
        ("a plus for a blank", format!("{good}+")),
        ("a blank", format!("{good}%20")),
        ("a line break", format!("{good}%0a")),
        ("NUL", format!("{good}%00")),
        ("no UTF-8", format!("{good}%ff")),
        ("Bearer before", format!("Bearer%20{good}")),
        ("quotes", format!("%22{good}%22")),
        ("half an escape", format!("{good}%2")),
        ("a comma", format!("{good},{good}")),
    ] {
        let target = format!("/everywhere/x?access_token={value}");
        attacks.push(refused(
            format!("query: {name}"),
            get(&target, &[]),
            401,
            "token_malformed",
        ));
        if name != "a line break" {
            attacks.push(refused(
                format!("cookie: {name}"),
                get("/everywhere/x", &[("Cookie", &format!("token={value}"))]),
                401,
                "token_malformed",
            ));
        }
    }
    attacks
}
