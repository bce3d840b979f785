//! From the parser's tree to a compiled expression, with everything checked that can be checked
//! before a request is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, MapExpr, SelectExpr,
    operators,
};
use cel::parser::PrattParser;

use super::error::CompileError;
use super::names::{did_you_mean, hint, listed};
use super::node::{Body, FUNCTIONS, Function, Node, Signature, Style};
use super::pattern::Pattern;
use super::place::{Place, Variable, VariableSet};
use super::syntax::syntax_error;
use super::value::Value;
use super::{MAX_DEPTH, MAX_SOURCE};

/// Names that look like calls but are woven into the tree by the parser.
const MACROS: [&str; 8] = [
    "has",
    "all",
    "exists",
    "exists_one",
    "existsOne",
    "map",
    "filter",
    "matches",
];

/// What compiling finds out.
#[derive(Debug)]
pub(super) struct Compiled {
    pub root: Node,
    pub variables: VariableSet,
    pub members: BTreeSet<(Variable, Arc<str>)>,
}

pub(super) fn compile(source: &str, place: Place) -> Result<Compiled, CompileError> {
    if source.len() > MAX_SOURCE {
        return Err(CompileError::new(format!(
            "an expression may have at most {MAX_SOURCE} bytes, this one has {}",
            source.len()
        )));
    }
    if source.trim().is_empty() {
        return Err(CompileError::new(
            "the expression is empty: write a CEL expression, or leave the key out",
        ));
    }
    let tree = PrattParser::new()
        .enable_ident_escape_syntax(true)
        .parse(source)
        .map_err(|errors| syntax_error(source, &errors))?;
    let mut compiler = Compiler {
        place,
        item: None,
        variables: VariableSet::default(),
        members: BTreeSet::new(),
    };
    let root = compiler.node(&tree, 0)?;
    if let Some(found) = root.value_type()
        && !place.expected().accepts(found)
    {
        return Err(CompileError::new(format!(
            "`{}` must be {}, this expression is {found}",
            place.name(),
            place.expected().description(),
        )));
    }
    Ok(Compiled {
        root,
        variables: compiler.variables,
        members: compiler.members,
    })
}

struct Compiler<'a> {
    place: Place,
    /// The name of the item, inside of a comprehension's body.
    item: Option<&'a str>,
    variables: VariableSet,
    members: BTreeSet<(Variable, Arc<str>)>,
}

impl<'a> Compiler<'a> {
    fn node(&mut self, expression: &'a IdedExpr, depth: usize) -> Result<Node, CompileError> {
        // The parser bounds brackets only: `a.b.c` and `a + b + c` are as deep as they are long.
        let depth = depth + 1;
        if depth > MAX_DEPTH {
            return Err(CompileError::new(format!(
                "the expression is nested deeper than {MAX_DEPTH} levels: make it shorter"
            )));
        }
        match &expression.expr {
            Expr::Literal(literal) => Ok(Node::Literal(literal_value(literal))),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.select(select, depth),
            Expr::Call(call) => self.call(call, depth),
            Expr::List(list) => Ok(Node::List(self.nodes(&list.elements, depth)?)),
            Expr::Map(map) => self.map(map, depth),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, depth),
            Expr::Struct(message) => Err(CompileError::new(format!(
                "there is no message type `{}`: write a map, `{{\"name\": value}}`",
                message.type_name
            ))),
            Expr::Unspecified => Err(CompileError::new("this is no CEL expression")),
        }
    }

    fn nodes(
        &mut self,
        expressions: &'a [IdedExpr],
        depth: usize,
    ) -> Result<Vec<Node>, CompileError> {
        expressions
            .iter()
            .map(|expression| self.node(expression, depth))
            .collect()
    }

    /// A part that must be true or false, where its type is known already.
    fn condition(
        &mut self,
        expression: &'a IdedExpr,
        function: &str,
        depth: usize,
    ) -> Result<Node, CompileError> {
        let node = self.node(expression, depth)?;
        match node.value_type() {
            Some(found) if found != super::ValueType::Bool => Err(CompileError::new(format!(
                "`{function}` needs something true or false, here it has {found}"
            ))),
            _ => Ok(node),
        }
    }

    fn conditions(
        &mut self,
        expressions: &'a [IdedExpr],
        function: &str,
        depth: usize,
    ) -> Result<Vec<Node>, CompileError> {
        expressions
            .iter()
            .map(|expression| self.condition(expression, function, depth))
            .collect()
    }

    fn name(&mut self, name: &str) -> Result<Node, CompileError> {
        if self.item == Some(name) {
            return Ok(Node::Item);
        }
        let allowed = self.place.variables();
        match Variable::from_name(name) {
            Some(variable) if allowed.contains(variable) => {
                match variable {
                    Variable::Request => self.variables.insert_request(None),
                    other => self.variables.insert(other),
                }
                Ok(Node::Variable(variable))
            }
            Some(_) => Err(CompileError::new(format!(
                "`{name}` is not available in `{}`; here you can use {}",
                self.place.name(),
                listed(allowed.iter().map(Variable::name)),
            ))),
            None => {
                let known = allowed.iter().map(|variable| -> &str { variable.name() });
                let names = known.chain(self.item);
                let text = if did_you_mean(name, names.clone()).is_empty() {
                    format!("; for the text itself write `'{name}'`")
                } else {
                    String::new()
                };
                Err(CompileError::new(format!(
                    "there is no variable `{name}` here; {}{text}",
                    hint(name, names)
                )))
            }
        }
    }

    fn select(&mut self, select: &'a SelectExpr, depth: usize) -> Result<Node, CompileError> {
        let before = self.variables;
        let operand = self.node(&select.operand, depth)?;
        if let Node::Variable(Variable::Request) = operand {
            self.variables = before;
            self.variables.insert_request(Some(&select.field));
        }
        let value_type = self.member(&operand, &select.field)?;
        let operand = Box::new(operand);
        let field = Arc::from(select.field.as_str());
        Ok(if select.test {
            Node::Has { operand, field }
        } else {
            Node::Select {
                operand,
                field,
                value_type,
            }
        })
    }

    /// Checks a member of a variable and notes that it is used.
    fn member(
        &mut self,
        operand: &Node,
        field: &str,
    ) -> Result<Option<super::ValueType>, CompileError> {
        let Node::Variable(variable) = operand else {
            return self.member_of_other(operand, field);
        };
        self.members.insert((*variable, Arc::from(field)));
        let Some(members) = self.place.members(*variable) else {
            return self.member_of_other(operand, field);
        };
        match members.iter().find(|(name, _)| *name == field) {
            Some((_, value_type)) => Ok(Some(*value_type)),
            None => Err(CompileError::new(format!(
                "`{}` has no member `{field}`; {}",
                variable.name(),
                hint(field, members.iter().map(|(name, _)| *name)),
            ))),
        }
    }

    fn member_of_other(
        &self,
        operand: &Node,
        field: &str,
    ) -> Result<Option<super::ValueType>, CompileError> {
        if let Node::Select {
            operand, field: of, ..
        } = operand
            && matches!(operand.as_ref(), Node::Variable(Variable::Request))
            && of.as_ref() == "headers"
            && field.bytes().any(|byte| byte.is_ascii_uppercase())
        {
            return Err(CompileError::new(format!(
                "`request.headers` has its names in lower case: write `request.headers['{}']`",
                field.to_ascii_lowercase()
            )));
        }
        match operand.value_type() {
            Some(found) if found != super::ValueType::Map => Err(CompileError::new(format!(
                "`.{field}` reads a member of a map, but this is {found}"
            ))),
            _ => Ok(None),
        }
    }

    fn map(&mut self, map: &'a MapExpr, depth: usize) -> Result<Node, CompileError> {
        let mut entries = Vec::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err(CompileError::new("this is no CEL expression"));
            };
            entries.push((
                self.node(&entry.key, depth)?,
                self.node(&entry.value, depth)?,
            ));
        }
        Ok(Node::Map(entries))
    }

    fn call(&mut self, call: &'a CallExpr, depth: usize) -> Result<Node, CompileError> {
        match call.func_name.as_str() {
            operators::LOGICAL_AND => {
                return Ok(Node::And(self.conditions(&call.args, "&&", depth)?));
            }
            operators::LOGICAL_OR => {
                return Ok(Node::Or(self.conditions(&call.args, "||", depth)?));
            }
            operators::CONDITIONAL => {
                let [condition, yes, no] = call.args.as_slice() else {
                    return Err(CompileError::new("this is no CEL expression"));
                };
                return Ok(Node::Conditional(Box::new([
                    self.condition(condition, "?:", depth)?,
                    self.node(yes, depth)?,
                    self.node(no, depth)?,
                ])));
            }
            "matches" => return self.matches(call, depth),
            _ => {}
        }
        let namespaced = self.namespaced(call);
        let (name, receiver) = match &namespaced {
            Some(name) => (name.as_str(), None),
            None => (call.func_name.as_str(), call.target.as_deref()),
        };
        let function = find_function(name, receiver.is_some())?;
        let mut arguments = Vec::with_capacity(call.args.len() + 1);
        if let Some(receiver) = receiver {
            arguments.push(self.node(receiver, depth)?);
        }
        arguments.append(&mut self.nodes(&call.args, depth)?);
        if !function.arguments.contains(&arguments.len()) {
            return Err(wrong_arguments(
                function,
                arguments.len(),
                receiver.is_some(),
            ));
        }
        if let (Function::Index, [operand, Node::Literal(Value::String(field))]) =
            (function.function, arguments.as_slice())
        {
            let field = field.clone();
            let value_type = self.member(operand, &field)?;
            let operand = Box::new(arguments.swap_remove(0));
            return Ok(Node::Select {
                operand,
                field,
                value_type,
            });
        }
        Ok(Node::Call {
            function,
            arguments,
        })
    }

    /// `base64.encode` is one name, not a function of something called `base64`.
    fn namespaced(&self, call: &CallExpr) -> Option<String> {
        match &call.target.as_deref()?.expr {
            Expr::Ident(space) if space == "base64" && self.item != Some("base64") => {
                Some(format!("{space}.{}", call.func_name))
            }
            _ => None,
        }
    }

    fn matches(&mut self, call: &'a CallExpr, depth: usize) -> Result<Node, CompileError> {
        let (text, pattern) = match (call.target.as_deref(), call.args.as_slice()) {
            (Some(text), [pattern]) | (None, [text, pattern]) => (text, pattern),
            _ => {
                return Err(CompileError::new(
                    "`matches` takes one pattern: `text.matches('^[a-z]+$')`",
                ));
            }
        };
        let Expr::Literal(LiteralValue::String(pattern)) = &pattern.expr else {
            return Err(CompileError::new(
                "the pattern of `matches` must be a literal string, since it is compiled when the \
                 policy loads",
            ));
        };
        Ok(Node::Matches {
            text: Box::new(self.node(text, depth)?),
            pattern: Box::new(Pattern::compile(pattern.inner())?),
        })
    }

    fn comprehension(
        &mut self,
        comprehension: &'a ComprehensionExpr,
        depth: usize,
    ) -> Result<Node, CompileError> {
        if self.item.is_some() {
            return Err(CompileError::new(
                "comprehensions (all, exists, exists_one, map, filter) can't be nested: each may go \
                 over 256 items, two would be 65,536; use one of them, or `in`",
            ));
        }
        let range = Box::new(self.node(&comprehension.iter_range, depth)?);
        self.item = Some(&comprehension.iter_var);
        let body = self.body(comprehension, depth);
        self.item = None;
        let body = Box::new(body?);
        Ok(Node::Comprehension { range, body })
    }

    /// Recognises the macro by the loop that the parser made of it.
    fn body(
        &mut self,
        comprehension: &'a ComprehensionExpr,
        depth: usize,
    ) -> Result<Body, CompileError> {
        let unknown = || {
            CompileError::new(
                "this comprehension is not one of all, exists, exists_one, map, filter",
            )
        };
        let Expr::Call(step) = &comprehension.loop_step.expr else {
            return Err(unknown());
        };
        match (step.func_name.as_str(), step.args.as_slice()) {
            (operators::LOGICAL_AND, [_, test]) => {
                Ok(Body::All(self.condition(test, "all", depth)?))
            }
            (operators::LOGICAL_OR, [_, test]) => {
                Ok(Body::Exists(self.condition(test, "exists", depth)?))
            }
            (operators::ADD, [_, item]) => Ok(Body::Map {
                filter: None,
                transform: self.node(appended(item).ok_or_else(unknown)?, depth)?,
            }),
            (operators::CONDITIONAL, [test, then, _]) => {
                let test = self.condition(test, "filter", depth)?;
                match (&comprehension.accu_init.expr, &then.expr) {
                    (Expr::Literal(LiteralValue::Int(_)), _) => Ok(Body::ExistsOne(test)),
                    (Expr::List(_), Expr::Call(add)) => {
                        let item = add.args.get(1).and_then(appended).ok_or_else(unknown)?;
                        Ok(Body::Map {
                            filter: Some(test),
                            transform: self.node(item, depth)?,
                        })
                    }
                    _ => Err(unknown()),
                }
            }
            _ => Err(unknown()),
        }
    }
}

/// What the loop of `map` and `filter` appends: `x` of `@result + [x]`.
fn appended(list: &IdedExpr) -> Option<&IdedExpr> {
    match &list.expr {
        Expr::List(list) => list.elements.first(),
        _ => None,
    }
}

fn literal_value(literal: &LiteralValue) -> Value {
    match literal {
        LiteralValue::Null => Value::Null,
        LiteralValue::Boolean(value) => Value::Bool(*value.inner()),
        LiteralValue::Int(value) => Value::Int(*value.inner()),
        LiteralValue::UInt(value) => Value::Uint(*value.inner()),
        LiteralValue::Double(value) => Value::Double(*value.inner()),
        LiteralValue::String(value) => value.inner().into(),
        LiteralValue::Bytes(value) => Value::Bytes(value.inner().into()),
    }
}

fn find_function(name: &str, member: bool) -> Result<&'static Signature, CompileError> {
    let fits = |signature: &&Signature| {
        signature.name == name
            && match signature.style {
                Style::Operator | Style::Global => !member,
                Style::Member => member,
                Style::Either => true,
            }
    };
    if let Some(found) = FUNCTIONS.iter().find(fits) {
        return Ok(found);
    }
    let other_style = FUNCTIONS.iter().any(|signature| signature.name == name);
    let message = match (other_style, member) {
        (true, true) => format!("`{name}` is called as a function: `{name}(value)`"),
        (true, false) => format!("`{name}` is called on a value: `value.{name}(…)`"),
        (false, _) if MACROS.contains(&name) => {
            format!("`{name}` is used in another way: {}", macro_usage(name))
        }
        (false, _) => {
            let names = FUNCTIONS
                .iter()
                .filter(|signature| signature.style != Style::Operator)
                .map(|signature| signature.name)
                .chain(MACROS);
            format!(
                "there is no function `{name}` here{}",
                did_you_mean(name, names)
            )
        }
    };
    Err(CompileError::new(message))
}

fn macro_usage(name: &str) -> String {
    match name {
        "has" => "`has(claims.sub)`".to_owned(),
        "map" => "`list.map(item, value)`".to_owned(),
        _ => format!("`list.{name}(item, condition)`"),
    }
}

fn wrong_arguments(function: &Signature, found: usize, member: bool) -> CompileError {
    let before_the_dot = usize::from(member);
    let least = function.arguments.start().saturating_sub(before_the_dot);
    let most = function.arguments.end().saturating_sub(before_the_dot);
    let found = found.saturating_sub(before_the_dot);
    let wanted = match (least, most) {
        (0, 0) => "no argument".to_owned(),
        (1, 1) => "1 argument".to_owned(),
        (least, most) if least == most => format!("{least} arguments"),
        (least, most) => format!("{least} or {most} arguments"),
    };
    CompileError::new(format!(
        "`{}` takes {wanted}, here it has {found}",
        function.title
    ))
}
