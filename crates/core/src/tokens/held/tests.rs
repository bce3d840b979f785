//! Held tokens: who finds which, what is told of their bearers, how many there are.

use super::*;
use crate::http::ReadyHeaders;
use crate::jose::Claims;
use crate::policy::document::Secret;
use serde_json::json;

const NOW: Duration = Duration::from_secs(1_000);

fn pair(id: &str, secret: &str) -> Pair {
    Pair::new(id, secret).unwrap()
}

fn held(exchange: usize, pair: &Pair, token: &str) -> Rc<Held> {
    let times = Times {
        since: NOW,
        refresh_at: NOW + Duration::from_secs(50),
        end: NOW + Duration::from_secs(60),
    };
    let token = Zeroizing::new(token.to_owned());
    Rc::new(Held::new(exchange, pair, token, times))
}

#[test]
fn only_the_very_pair_at_its_own_exchange_finds_its_token() {
    let mut tokens = HeldTokens::new(1 << 20);
    let own = pair("client", "a secret of some length");
    tokens.put(held(3, &own, "token"));
    let found = |tokens: &mut HeldTokens, exchange, pair: &Pair, at| {
        let held = tokens.in_use(exchange, pair, NOW + Duration::from_secs(at));
        held.map(|held| held.token.to_string())
    };
    assert_eq!(found(&mut tokens, 3, &own, 0).as_deref(), Some("token"));
    let with_body = Pair {
        body: Some(Box::new(Secret::from("x"))),
        ..own.clone()
    };
    for (exchange, other) in [
        (2, own.clone()),
        (3, pair("client", "a secret of some lengtH")),
        (3, pair("client", "a secret of some length ")),
        (3, pair("Client", "a secret of some length")),
        (3, pair("clienta", " secret of some length")),
        (3, with_body),
    ] {
        assert_eq!(found(&mut tokens, exchange, &other, 0), None, "{other:?}");
        // Nor where both have the same place.
        let entry = Entry::new(held(3, &own, "token"));
        tokens.tokens.insert(place(exchange, &other), entry);
        assert_eq!(found(&mut tokens, exchange, &other, 0), None, "{other:?}");
        assert!(tokens.get(exchange, &other, NOW).is_none());
        assert!(tokens.remove(exchange, &other).is_none());
        tokens.mark_used(exchange, &other);
        let entry = tokens.tokens.peek(&place(exchange, &other)).unwrap();
        assert!(!entry.held.used.get());
    }
    assert!(found(&mut tokens, 3, &own, 49).is_some());
    assert_eq!(found(&mut tokens, 3, &own, 50), None, "to be replaced");
    tokens.remove(3, &own);
    assert_eq!(found(&mut tokens, 3, &own, 0), None);
}

#[test]
fn debug_shows_the_end_and_not_the_token() {
    let held = held(0, &pair("client", "secret"), "hunter2");
    assert_eq!(format!("{held:?}"), "Held(until 1060s)");
}

fn bearer(scopes: &[&str], claims: bool) -> Verified {
    let of = |name: &str| (name.to_owned(), b"value".to_vec());
    let made = MadeHeaders::default();
    made.put(
        0,
        &ReadyHeaders::of(&[of("x-auth-client"), of("x-auth-scopes")]),
    );
    let bare = ClientFacts::of_id("".into());
    let identity = Identity {
        client: Some(bare.clone()),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        made: Some(Rc::new(made)),
        ..Identity::default()
    };
    let all = Claims::parse(br#"{"exp":5}"#).unwrap();
    Verified {
        authenticator: 0,
        proof: Proof::always(None),
        claims: claims.then(|| Rc::new(all)),
        bearer: Some(Bearer::of(&identity, &bare)),
    }
}

#[test]
fn who_calls_is_told_again_as_it_was() {
    let bare = ClientFacts::of_id("".into());
    let plain = Identity {
        client: Some(ClientFacts::of_id("client".into())),
        tenant: Some("acme".into()),
        scopes: Rc::new(["orders:read".to_owned()]),
        is_token: true,
        ..Identity::default()
    };
    let of_store = |facts: ClientFacts| Identity {
        client: Some(facts),
        ..plain.clone()
    };
    let own = ClientFacts::of_id("client".into());
    for identity in [
        plain.clone(),
        Identity {
            scopes: Rc::new([]),
            tenant: None,
            ..plain.clone()
        },
        of_store(ClientFacts {
            tenant: Some("acme".into()),
            ..own.clone()
        }),
        of_store(ClientFacts {
            scopes: Rc::new(["a".to_owned()]),
            ..own.clone()
        }),
        of_store(ClientFacts {
            metadata: Rc::new(json!({"plan": "gold"})),
            ..own.clone()
        }),
    ] {
        let held = held(0, &pair("client", "secret"), "token");
        held.remember(Verified {
            authenticator: 3,
            proof: Proof::always(None),
            claims: None,
            bearer: Some(Bearer::of(&identity, &bare)),
        });
        assert!(held.verified_by(2).is_none());
        let verified = held.verified_by(3).unwrap();
        let told = held.bearer(&verified, &bare).unwrap();
        assert_eq!(format!("{told:?}"), format!("{identity:?}"));
        let metadata = |of: &Identity| of.client.as_ref().unwrap().metadata.clone();
        assert_eq!(metadata(&told), metadata(&identity));
    }
}

#[test]
fn tokens_are_bounded_in_number_and_in_bytes() {
    const MOST: usize = 2 << 20;
    for (length, scopes, claims, fit) in [
        (500, &[][..], false, 1536),
        (500, &["orders:read", "orders:write"], false, 1401),
        (500, &[], true, 1228),
        (1, &[], false, 3803),
    ] {
        let mut tokens = HeldTokens::new(MOST);
        for number in 0..20_000 {
            let own = pair(&format!("client-{number:05}"), "secret");
            for _ in 0..2 {
                let held = held(0, &own, &"t".repeat(length));
                tokens.put(held.clone());
                held.remember(bearer(scopes, claims));
                tokens.weigh(&held);
            }
        }
        assert_eq!(tokens.tokens.len(), fit, "{length} {scopes:?} {claims}");
        assert!(tokens.tokens.limiter().bytes() <= MOST);
        let all = tokens.tokens.iter();
        let taken = all.map(|(_, entry)| entry.held.bytes()).sum::<usize>();
        assert_eq!(tokens.tokens.limiter().bytes(), taken);
    }
    let mut tokens = HeldTokens::new(usize::MAX);
    for number in 0..HELD + 10 {
        tokens.put(held(0, &pair(&format!("client-{number}"), "secret"), "t"));
    }
    assert_eq!(tokens.tokens.len(), HELD);
}
