//! A compiled expression: names are resolved, literals built, patterns compiled.

use std::sync::Arc;

use super::pattern::Pattern;
use super::place::Variable;
use super::value::{Value, ValueType};

/// One step of an expression.
#[derive(Debug)]
pub(super) enum Node {
    Literal(Value),
    Variable(Variable),
    /// The item that the comprehension around is at. Comprehensions don't nest, so there is one.
    Item,
    Select {
        operand: Box<Node>,
        field: Arc<str>,
        /// The type of the member, where the operand's shape is fixed.
        value_type: Option<ValueType>,
    },
    Has {
        operand: Box<Node>,
        field: Arc<str>,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Conditional(Box<[Node; 3]>),
    Call {
        function: &'static Signature,
        arguments: Vec<Node>,
    },
    Matches {
        text: Box<Node>,
        pattern: Box<Pattern>,
    },
    Comprehension {
        range: Box<Node>,
        body: Box<Body>,
    },
}

/// What a comprehension does with each item.
#[derive(Debug)]
pub(super) enum Body {
    All(Node),
    Exists(Node),
    ExistsOne(Node),
    Map {
        filter: Option<Node>,
        transform: Node,
    },
}

impl Node {
    /// The type of the result, where it is known before a request is there.
    pub(super) fn value_type(&self) -> Option<ValueType> {
        Some(match self {
            Self::Literal(value) => value.value_type(),
            Self::Variable(variable) => variable.value_type(),
            Self::Select { value_type, .. } => return *value_type,
            Self::List(_) => ValueType::List,
            Self::Map(_) => ValueType::Map,
            Self::Has { .. } | Self::And(_) | Self::Or(_) | Self::Matches { .. } => ValueType::Bool,
            Self::Call { function, .. } => return function.result,
            Self::Comprehension { body, .. } => match body.as_ref() {
                Body::All(_) | Body::Exists(_) | Body::ExistsOne(_) => ValueType::Bool,
                Body::Map { .. } => ValueType::List,
            },
            Self::Conditional(parts) => {
                let [_, yes, no] = parts.as_ref();
                return yes
                    .value_type()
                    .filter(|found| no.value_type() == Some(*found));
            }
            Self::Item => return None,
        })
    }
}

/// The operators and functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Not,
    Negate,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Index,
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Split,
    Join,
    LowerAscii,
    UpperAscii,
    Trim,
    Replace,
    Substring,
    IndexOf,
    LastIndexOf,
    CharAt,
    UrlEncode,
    UrlDecode,
    Base64Encode,
    Base64Decode,
    ToInt,
    ToUint,
    ToDouble,
    ToString,
    ToBytes,
    ToBool,
    Dyn,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `a + b`: the parser gives it this name, no one can write it.
    Operator,
    /// `f(a)`
    Global,
    /// `a.f()`
    Member,
    /// Both ways.
    Either,
}

/// The name and shape of an operator or function.
#[derive(Debug)]
pub(super) struct Signature {
    /// The name that the parser gives it.
    pub name: &'static str,
    /// The name for messages.
    pub title: &'static str,
    pub style: Style,
    /// How many arguments it takes, that before the dot counted.
    pub arguments: std::ops::RangeInclusive<usize>,
    pub function: Function,
    pub result: Option<ValueType>,
}

const fn operator(
    name: &'static str,
    title: &'static str,
    arguments: usize,
    function: Function,
    result: Option<ValueType>,
) -> Signature {
    Signature {
        name,
        title,
        style: Style::Operator,
        arguments: arguments..=arguments,
        function,
        result,
    }
}

const fn function(
    name: &'static str,
    style: Style,
    least: usize,
    most: usize,
    function: Function,
    result: ValueType,
) -> Signature {
    Signature {
        name,
        title: name,
        style,
        arguments: least..=most,
        function,
        result: Some(result),
    }
}

use Style::{Either, Global, Member};
use ValueType::{Bool, Bytes, Double, Int, List, String, Uint};

/// Everything that can be called, but for what becomes a node of its own (`&&`, `||`, `?:`,
/// `matches` and the macros).
pub(super) static FUNCTIONS: [Signature; 40] = [
    operator("!_", "!", 1, Function::Not, Some(Bool)),
    operator("-_", "-", 1, Function::Negate, None),
    operator("_+_", "+", 2, Function::Add, None),
    operator("_-_", "-", 2, Function::Subtract, None),
    operator("_*_", "*", 2, Function::Multiply, None),
    operator("_/_", "/", 2, Function::Divide, None),
    operator("_%_", "%", 2, Function::Remainder, None),
    operator("_==_", "==", 2, Function::Equal, Some(Bool)),
    operator("_!=_", "!=", 2, Function::NotEqual, Some(Bool)),
    operator("_<_", "<", 2, Function::Less, Some(Bool)),
    operator("_<=_", "<=", 2, Function::LessOrEqual, Some(Bool)),
    operator("_>_", ">", 2, Function::Greater, Some(Bool)),
    operator("_>=_", ">=", 2, Function::GreaterOrEqual, Some(Bool)),
    operator("@in", "in", 2, Function::In, Some(Bool)),
    operator("_[_]", "[]", 2, Function::Index, None),
    function("size", Either, 1, 1, Function::Size, Int),
    function("contains", Member, 2, 2, Function::Contains, Bool),
    function("startsWith", Member, 2, 2, Function::StartsWith, Bool),
    function("endsWith", Member, 2, 2, Function::EndsWith, Bool),
    function("split", Member, 2, 3, Function::Split, List),
    function("join", Member, 1, 2, Function::Join, String),
    function("lowerAscii", Member, 1, 1, Function::LowerAscii, String),
    function("upperAscii", Member, 1, 1, Function::UpperAscii, String),
    function("trim", Member, 1, 1, Function::Trim, String),
    function("replace", Member, 3, 4, Function::Replace, String),
    function("substring", Member, 2, 3, Function::Substring, String),
    function("indexOf", Member, 2, 3, Function::IndexOf, Int),
    function("lastIndexOf", Member, 2, 3, Function::LastIndexOf, Int),
    function("charAt", Member, 2, 2, Function::CharAt, String),
    function("url_encode", Global, 1, 1, Function::UrlEncode, String),
    function("url_decode", Global, 1, 1, Function::UrlDecode, String),
    function(
        "base64.encode",
        Global,
        1,
        1,
        Function::Base64Encode,
        String,
    ),
    function("base64.decode", Global, 1, 1, Function::Base64Decode, Bytes),
    function("int", Global, 1, 1, Function::ToInt, Int),
    function("uint", Global, 1, 1, Function::ToUint, Uint),
    function("double", Global, 1, 1, Function::ToDouble, Double),
    function("string", Global, 1, 1, Function::ToString, String),
    function("bytes", Global, 1, 1, Function::ToBytes, Bytes),
    function("bool", Global, 1, 1, Function::ToBool, Bool),
    Signature {
        name: "dyn",
        title: "dyn",
        style: Global,
        arguments: 1..=1,
        function: Function::Dyn,
        result: None,
    },
];
