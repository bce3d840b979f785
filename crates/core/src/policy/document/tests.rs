//! All forms of a document, and hostile ones.

use super::*;

const YAML: &str = "# a policy
version: 1
clients:
  - id: supplier-7
    tenant: \"acme\"
    scopes: ['supplier:read', \"a\\tb \\U0001D11E\"]
    enabled: true
    metadata: {plan: gold, n: -3, f: 1.25, nothing: null, big: 9007199254740992, e: [], o: {}}
    not_before: 2026-11-01T00:00:00Z
rules:
- match: {path: /Orders/**}
  body: |
    line 1
    line 2
";

const JSON: &str = r#"{"version":1,"clients":[{"id":"supplier-7","tenant":"acme","scopes":["supplier:read","a\tb \uD834\uDD1E"],"enabled":true,"metadata":{"plan":"gold","n":-3,"f":1.25,"nothing":null,"big":9007199254740992,"e":[],"o":{}},"not_before":"2026-11-01T00:00:00Z"}],"rules":[{"match":{"path":"\/Orders\/**"},"body":"line 1\nline 2\n"}]}"#;

/// The JSON above with a line for each member, indented by tabs or spaces.
fn pretty(indent: &str) -> String {
    let mut text = String::new();
    let mut depth = 0usize;
    let mut quoted = false;
    let mut escaped = false;
    for letter in JSON.chars() {
        if quoted {
            text.push(letter);
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        quoted = letter == '"';
        match letter {
            '{' | '[' => {
                depth += 1;
                text.push(letter);
                text.push('\n');
                text.push_str(&indent.repeat(depth));
            }
            '}' | ']' => {
                depth -= 1;
                text.push('\n');
                text.push_str(&indent.repeat(depth));
                text.push(letter);
            }
            ',' => {
                text.push_str(",\n");
                text.push_str(&indent.repeat(depth));
            }
            ':' => text.push_str(": "),
            other => text.push(other),
        }
    }
    text
}

fn field(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let mut length = payload.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(payload);
    bytes
}

fn number(number: f64) -> Vec<u8> {
    [vec![0x11], number.to_le_bytes().to_vec()].concat()
}

fn value(node: &Node) -> Vec<u8> {
    match &node.value {
        Value::Null => vec![0x08, 0],
        Value::Bool(value) => vec![0x20, u8::from(*value)],
        Value::Int(value) => number(*value as f64),
        Value::Float(value) => number(*value),
        Value::String(text) => field(0x1a, text.as_bytes()),
        Value::List(items) => {
            let items: Vec<u8> = items
                .iter()
                .flat_map(|item| field(0x0a, &value(item)))
                .collect();
            field(0x32, &items)
        }
        Value::Map(_) => field(0x2a, &structure(node)),
    }
}

/// The node as Envoy would serialize it.
fn structure(node: &Node) -> Vec<u8> {
    let Value::Map(entries) = &node.value else {
        panic!("a Struct is a map")
    };
    entries
        .iter()
        .flat_map(|entry| {
            let entry = [
                field(0x0a, entry.key.as_bytes()),
                field(0x12, &value(&entry.value)),
            ]
            .concat();
            field(0x0a, &entry)
        })
        .collect()
}

fn unmarked(node: &Node) -> Node {
    let value = match &node.value {
        Value::List(items) => Value::List(items.iter().map(unmarked).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|entry| Entry {
                    key: entry.key.clone(),
                    key_mark: None,
                    value: unmarked(&entry.value),
                })
                .collect(),
        ),
        other => other.clone(),
    };
    Node { value, mark: None }
}

fn shown(bytes: &[u8]) -> Vec<String> {
    read(bytes).map_or_else(
        |problems| problems.iter().map(ToString::to_string).collect(),
        |_| Vec::new(),
    )
}

#[test]
fn all_forms_give_the_same_tree() {
    let tree = unmarked(&read(YAML.as_bytes()).unwrap());
    let texts = [
        JSON.to_owned(),
        pretty("  "),
        pretty("\t"),
        pretty("  ").replace('\n', "\r\n"),
        YAML.replace('\n', "\r\n"),
        format!("\u{feff}{YAML}"),
        format!("\u{feff}{JSON}"),
        format!("--- {JSON}\n"),
        format!("%YAML 1.2\n---\n{YAML}...\n"),
        format!("\n\n{YAML}"),
    ];
    for text in texts {
        assert_eq!(unmarked(&read(text.as_bytes()).unwrap()), tree, "{text}");
    }
    let bytes = structure(&tree);
    assert_eq!(read(&bytes).unwrap(), tree);
}

#[test]
fn marks_count_from_one_in_characters() {
    let at = |text: &str, path: &Path| {
        let mark = read(text.as_bytes()).unwrap().mark_at(path).unwrap();
        (mark.line, mark.column)
    };
    let place = Path::root().key("b").index(1);
    for text in [
        "a: 1\nb: [é, x]",
        "a: 1\r\nb: [é, x]",
        "\u{feff}a: 1\nb: [é, x]",
    ] {
        assert_eq!(at(text, &place), (2, 8), "{text:?}");
    }
    assert_eq!(at("{\n\t\"b\": [0,\n\t\t1]\n}", &place), (3, 3));
    assert_eq!(
        at("a: &x 1\nb:\n- 0\n- *x\n", &place),
        (1, 7),
        "an alias is mended at its anchor"
    );
}

#[test]
fn what_is_no_text_and_no_struct_is_told() {
    let good = structure(&read(JSON.as_bytes()).unwrap());
    let table: Vec<(Vec<u8>, &str)> = vec![
        (
            b"version: 1\nid: \xff\n".to_vec(),
            "this is not UTF-8; the policy must be text in UTF-8, or a binary google.protobuf.Struct (line 2, column 5)",
        ),
        (
            b"\xff\xfev\0".to_vec(),
            "the policy is UTF-16 text; save it as UTF-8 (line 1, column 1)",
        ),
        (
            b"a: \x00".to_vec(),
            "the control character U+0000 can't stand here; inside double quotes write \"\\x00\" (line 1, column 4)",
        ),
        (
            b"\na: \x1b".to_vec(),
            "the control character U+001B can't stand here; inside double quotes write \"\\x1b\" (line 2, column 4)",
        ),
        (
            good[..good.len() - 1].to_vec(),
            "this is neither text nor a well-formed google.protobuf.Struct",
        ),
        (
            vec![0x0a, 0x02, 0x12, 0x00],
            "this is neither text nor a well-formed google.protobuf.Struct",
        ),
        (
            field(0x0a, &[field(0x0a, b"a"), field(0x12, b"")].concat()),
            "a: this google.protobuf.Value holds nothing",
        ),
        (
            field(
                0x0a,
                &[field(0x0a, b"a"), field(0x12, &number(f64::NAN))].concat(),
            ),
            "a: this is no finite number",
        ),
        (
            field(0x0a, &[field(0x0a, b"\xff"), field(0x12, &[8, 0])].concat()),
            "this is neither text nor a well-formed google.protobuf.Struct",
        ),
        (
            [0x0a].into_iter().chain([0xff; 20]).chain([0x12]).collect(),
            "this is neither text nor a well-formed google.protobuf.Struct",
        ),
        (
            field(0x0a, &[field(0x0a, b"a"), field(0x12, &[8, 0])].concat()).repeat(2),
            "the key \"a\" is given twice",
        ),
        (
            vec![b'a'; MAX_BYTES + 1],
            "the policy has 8388609 bytes; 8388608 are the most",
        ),
    ];
    for (bytes, message) in table {
        assert_eq!(shown(&bytes), [message], "{:?}", bytes.get(..20));
    }
}

/// Whatever the bytes are, there is a tree or a problem.
fn survives(bytes: &[u8]) {
    match read(bytes) {
        Ok(tree) => {
            let _ = decode::<Json>(&tree, &|_| None);
        }
        Err(problems) => assert!(!problems.is_empty()),
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = "lists and maps nest deeper than 64 levels here";
    for opening in [
        "[", "{a: ", "{? ", "- ", "? ", "[{a: ", "[? ", "{[", "&a [", "- - ? ",
    ] {
        let text = opening.repeat(100_000);
        let problems = shown(text.as_bytes());
        assert_eq!(problems.len(), 1, "{opening}");
        assert!(problems[0].contains(deep), "{opening}: {problems:?}");
    }
    let block: String = (0..1000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    assert!(shown(block.as_bytes())[0].contains(deep));
    let fits = format!("a: {}{}", "[".repeat(63), "]".repeat(63));
    survives(fits.as_bytes());
    assert!(read(fits.as_bytes()).is_ok());
    let mixed = format!("a: {}{}", "[".repeat(64), "]".repeat(64));
    assert!(shown(mixed.as_bytes())[0].contains(deep));

    let mut message = vec![8, 0];
    for _ in 0..2000 {
        message = field(
            0x2a,
            &field(0x0a, &[field(0x0a, b"a"), field(0x12, &message)].concat()),
        );
    }
    assert!(
        shown(&field(
            0x0a,
            &[field(0x0a, b"a"), field(0x12, &message)].concat()
        ))[0]
            .contains(deep)
    );
}

#[test]
fn aliases_are_followed_within_bounds() {
    let tree = read(b"a: &x {k: [1]}\nb: [*x, *x]\n&key c: *key\n").unwrap();
    assert_eq!(
        tree.get("b"),
        read(b"a: &x {k: [1]}\nb: [*x, *x]\n").unwrap().get("b")
    );
    assert_eq!(
        tree.get("c").map(|node| &node.value),
        Some(&Value::String("c".to_owned().into()))
    );

    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let before = level - 1;
        laughs.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            format!("*a{before},").repeat(10)
        ));
    }
    let problems = shown(laughs.as_bytes());
    assert!(
        problems[0].contains("the policy has more than 500000 values, aliases followed (line "),
        "{problems:?}"
    );

    let blown = format!(
        "a: &a \"{}\"\nb: [{}]",
        "x".repeat(1_000_000),
        "*a,".repeat(1000)
    );
    let problems = shown(blown.as_bytes());
    assert!(
        problems[0].contains("the policy's texts have more than 8388608 bytes, aliases followed"),
        "{problems:?}"
    );

    let mut tower = "a0: &a0 [x]\n".to_owned();
    for level in 1..100 {
        tower.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(shown(tower.as_bytes())[0].contains("nest deeper than 64 levels here"));
}

#[test]
fn large_documents_are_read_or_refused_in_time() {
    let begin = std::time::Instant::now();
    let half = MAX_BYTES / 2;
    let texts = [
        format!("a: {}", "x".repeat(half)),
        format!("a: \"{}\"", "x\\n".repeat(half / 3)),
        format!("a: |\n{}", "  x\n".repeat(half / 4)),
        format!("a: >\n{}", "  x\n\n".repeat(half / 5)),
        format!("{}: 1", "x".repeat(half)),
        format!("\"{}\": 1", "x".repeat(half)),
        "- a\n".repeat(half / 4),
        "\n".repeat(half),
        " ".repeat(half),
        "#".repeat(half),
        "# x\n".repeat(half / 4),
        "\"".repeat(half),
        "'".repeat(half),
        "a: *a\n".repeat(half / 6),
        "&a ".repeat(half / 3),
        "--- a\n".repeat(half / 6),
        "%A b\n".repeat(half / 5),
        "!".repeat(half),
        "[a,".repeat(half / 3),
        "[],".repeat(half / 3),
        "a:\n".repeat(half / 3),
        "- - -\n".repeat(half / 6),
        (0..50_000)
            .map(|number| format!("k{number}: 1\n"))
            .collect(),
        "{a: 1, ".repeat(30) + &"a: 1, ".repeat(half / 6),
    ];
    for text in texts {
        survives(text.as_bytes());
    }
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
}

#[test]
fn mutated_documents_never_panic() {
    // xorshift64: the same documents in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let seeds = [
        YAML.as_bytes().to_vec(),
        JSON.as_bytes().to_vec(),
        structure(&read(YAML.as_bytes()).unwrap()),
        b"a: &x [1, {b: *c}]\n? &c d\n: !t |\n  x\n  ${A} $${B} ${\n".to_vec(),
    ];
    let pieces: [&[u8]; 16] = [
        b"\n", b"  ", b"\t", b": ", b"- ", b"[", b"}", b"\"", b"'", b"*x", b"&x ", b"${", b"\r",
        b"\xff", b"|\n", b"? ",
    ];
    for round in 0..6000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=random(5) {
            let place = random(bytes.len());
            match random(5) {
                0 => drop(bytes.splice(place..place, pieces[random(pieces.len())].iter().copied())),
                1 => drop(bytes.drain(place..(place + random(8)).min(bytes.len()))),
                2 => bytes.truncate(place),
                3 => {
                    let end = (place + random(40)).min(bytes.len());
                    let copy = bytes[place..end].to_vec();
                    let target = random(bytes.len());
                    drop(bytes.splice(target..target, copy));
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte = random(256) as u8;
                    }
                }
            }
        }
        survives(&bytes);
    }
}
