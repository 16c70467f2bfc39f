//! The grammar of projections: `path { "," path }`.

use crate::error::ExpressionKind;
use crate::parse::{Parsed, Parser};
use crate::token::TokenKind;
use crate::tree::RawPath;

/// Parses a whole projection.
pub fn parse(source: &str) -> Parsed<Vec<RawPath<'_>>> {
    let mut parser = Parser::new(source, ExpressionKind::Projection, &[])?;
    let mut paths = vec![parser.path()?];
    while parser.peek() == TokenKind::Comma {
        parser.advance();
        paths.push(parser.path()?);
    }
    parser.finish(None)?;
    Ok(paths)
}
