//! Text to syntax tree and back.
//!
//! [`parse`] is a hand-written recursive descent parser with jq's real precedence; the tree prints
//! itself as a program that parses to the same tree. Neither knows a builtin.

pub(crate) mod ast;
mod display;
mod lexer;
mod parser;

mod pattern;
mod terms;

pub(crate) use parser::parse;
