//! The parser's errors in words of ours: what is wrong and the mend. Its own messages speak of
//! tokens and states, and leaving them out makes the module smaller.

use granit_parser::ErrorKind;

use crate::policy::document::{
    node::Mark,
    read::{mark, too_deep},
};

/// One line for a syntax error.
pub(super) fn message(kind: &ErrorKind) -> String {
    use ErrorKind as K;
    let text = match kind {
        K::RecursionLimitExceeded => return too_deep(),
        K::UnclosedFlowCollection { open } => {
            return format!("this '{open}' is never closed");
        }
        K::MismatchedFlowCollectionEnd { open, close } => {
            return format!("'{open}' is closed by '{close}'");
        }
        K::UnexpectedCharacter { character } => {
            return format!("no value can begin with {character:?}; put the text in quotes");
        }
        K::MisplacedFlowCollectionEnd => "this closes a list or map that was never opened",
        K::UnexpectedEofFlowSequence
        | K::UnexpectedEofFlowMapping
        | K::UnexpectedEofImplicitFlowMapping => "the text ends inside '[' or '{'; close it",
        K::UnexpectedEof | K::UnexpectedEofBlockSequence | K::UnexpectedEofBlockMapping => {
            "the text ends too early"
        }
        K::UnclosedQuotedScalar => "this quote is never closed",
        K::UnknownAnchor => "no anchor (&name) before this alias (*name) has its name",
        kind if is_tab(kind) => "tabs can't indent YAML; use spaces",
        K::InvalidIndentation
        | K::InvalidQuotedScalarIndent
        | K::InvalidBlockScalarIndent
        | K::InvalidFlowScalarIndent
        | K::ExpectedBlockMappingKey
        | K::ExpectedBlockSequenceEntry => {
            "this doesn't fit what is above it; check the indentation, and the \"key: \" or \"- \" before it"
        }
        K::ExpectedFlowMappingSeparator | K::ExpectedFlowSequenceSeparator => {
            "a ',' or the closing bracket is missing before this; text that holds one of , [ ] { } (such as ${NAME}) must stand in quotes here"
        }
        K::SimpleKeyExpected | K::InvalidSimpleKey => {
            "this line is no \"key: value\"; a key needs a ':' and a space"
        }
        K::MappingValueNotAllowed
        | K::InvalidColonPlacement
        | K::FlowMappingValueAdjacentCollection => {
            "a ':' can't stand here; put the text in quotes if it holds one, and check the indentation"
        }
        K::MappingKeyNotAllowed => "a key can't stand here; check the indentation",
        K::BlockEntryInFlowCollection
        | K::BlockSequenceEntryNotAllowed
        | K::InvalidBlockEntryWhitespace => {
            "a \"- \" can't stand here; check the indentation, or put the text in quotes"
        }
        K::UnknownQuotedScalarEscape => {
            "this escape doesn't exist; write \\\\ for a backslash, or use single quotes"
        }
        K::InvalidQuotedScalarHexEscape
        | K::InvalidLowSurrogateHexEscape
        | K::InvalidLowSurrogate
        | K::MissingLowSurrogate
        | K::UnpairedLowSurrogate
        | K::InvalidUnicodeEscape => "this escape stands for no character",
        K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar => {
            "nothing can follow the closing quote; put all of the text inside the quotes"
        }
        K::BomInsideDocument => "a byte order mark can stand at the start of the text only",
        K::ExpectedDocumentStart | K::InvalidDocumentEnd | K::MissingDocumentEndBeforeDirective => {
            "this stands outside the document; check the indentation and the brackets above"
        }
        K::ExpectedNodeContent => "a value is missing here",
        _ => "this is not YAML; text with special characters must stand in quotes",
    };
    text.to_owned()
}

/// Where a syntax error is. For a tab the parser names the start of the value before it.
pub(super) fn place(kind: &ErrorKind, text: &str, found: Mark) -> Mark {
    if !is_tab(kind) {
        return found;
    }
    let skipped = usize::try_from(found.line)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    text.lines()
        .enumerate()
        .skip(skipped)
        .find_map(|(line, content)| {
            let indent = content.len().saturating_sub(content.trim_start().len());
            let column = content.get(..indent)?.find('\t')?;
            Some(mark(line.saturating_add(1), column))
        })
        .unwrap_or(found)
}

fn is_tab(kind: &ErrorKind) -> bool {
    use ErrorKind as K;
    matches!(
        kind,
        K::TabNotAllowed
            | K::TabInBlockIndentation
            | K::TabInIndentation
            | K::TabAtBlockScalarStart
            | K::TabInPlainScalar
    )
}
