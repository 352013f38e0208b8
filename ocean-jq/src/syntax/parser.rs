//! The parser: recursive descent with precedence climbing.
//!
//! From loosest to tightest: `def`, `label` and `… as …` (which take everything that follows), `|`
//! (right), `,` (left), `//` (right), assignments (none), `or`, `and` (left), comparisons (none),
//! `+ -`, `* / %` (left), unary minus, `try`, then postfix steps. `e as $x | …` binds the whole
//! expression `e`, operators included.

use super::ast::{BinaryOp, Expr, ExprKind, FuncDef, Param, UpdateOp};
use super::lexer::{Lexer, Token, is_keyword};
use crate::error::CompileError;
use crate::stack;

/// Levels of the syntax tree; later passes and drops recurse over it.
const MAX_DEPTH: u32 = 1_000;
/// Stack that parsing may use.
const STACK_BUDGET: usize = 384 << 10;

pub(crate) struct Parser<'t> {
    pub(super) text: &'t str,
    pub(super) lexer: Lexer<'t>,
    pub(super) token: Token<'t>,
    /// Where the current token starts.
    pub(super) at: usize,
    pub(super) stack_floor: usize,
}

pub(super) type Parsed<T> = Result<T, CompileError>;

/// Parses a whole program.
pub(crate) fn parse(text: &str) -> Parsed<Expr> {
    let mut lexer = Lexer::new(text);
    let (token, at) = lexer.next_token();
    let mut parser = Parser {
        text,
        lexer,
        token,
        at,
        stack_floor: stack::floor(STACK_BUDGET),
    };
    if parser.token == Token::End {
        return Err(parser.error("the program is empty; write `.` for the input itself".to_owned()));
    }
    if matches!(parser.token, Token::Word("module" | "import" | "include")) {
        return Err(parser.error("modules are not supported".to_owned()));
    }
    let program = parser.query()?;
    match parser.token {
        Token::End => Ok(program),
        _ => Err(parser.unexpected("end of program")),
    }
}

/// How tightly a binary operator binds, and how it groups.
#[derive(Clone, Copy, PartialEq)]
enum Grouping {
    Left,
    Right,
    None,
}

enum Operator {
    Binary(BinaryOp),
    Update(UpdateOp),
}

fn operator(token: &Token<'_>) -> Option<(Operator, u8, Grouping)> {
    use BinaryOp as B;
    let update = |op| Some((Operator::Update(op), 2, Grouping::None));
    let binary = |op, level, grouping| Some((Operator::Binary(op), level, grouping));
    match token {
        Token::Symbol("//") => binary(B::Alternative, 1, Grouping::Right),
        Token::Symbol("=") => update(UpdateOp::Assign),
        Token::Symbol("|=") => update(UpdateOp::Modify),
        Token::Symbol("+=") => update(UpdateOp::Arithmetic(B::Add)),
        Token::Symbol("-=") => update(UpdateOp::Arithmetic(B::Subtract)),
        Token::Symbol("*=") => update(UpdateOp::Arithmetic(B::Multiply)),
        Token::Symbol("/=") => update(UpdateOp::Arithmetic(B::Divide)),
        Token::Symbol("%=") => update(UpdateOp::Arithmetic(B::Modulo)),
        Token::Symbol("//=") => update(UpdateOp::Arithmetic(B::Alternative)),
        Token::Word("or") => binary(B::Or, 3, Grouping::Left),
        Token::Word("and") => binary(B::And, 4, Grouping::Left),
        Token::Symbol("==") => binary(B::Equal, 5, Grouping::None),
        Token::Symbol("!=") => binary(B::NotEqual, 5, Grouping::None),
        Token::Symbol("<") => binary(B::Less, 5, Grouping::None),
        Token::Symbol("<=") => binary(B::LessOrEqual, 5, Grouping::None),
        Token::Symbol(">") => binary(B::Greater, 5, Grouping::None),
        Token::Symbol(">=") => binary(B::GreaterOrEqual, 5, Grouping::None),
        Token::Symbol("+") => binary(B::Add, 6, Grouping::Left),
        Token::Symbol("-") => binary(B::Subtract, 6, Grouping::Left),
        Token::Symbol("*") => binary(B::Multiply, 7, Grouping::Left),
        Token::Symbol("/") => binary(B::Divide, 7, Grouping::Left),
        Token::Symbol("%") => binary(B::Modulo, 7, Grouping::Left),
        _ => None,
    }
}

// === impl Parser: tokens ===

impl<'t> Parser<'t> {
    pub(super) fn token(&self) -> &Token<'t> {
        &self.token
    }

    pub(super) fn advance(&mut self) {
        (self.token, self.at) = self.lexer.next_token();
    }

    pub(super) fn is(&self, symbol: &str) -> bool {
        matches!(self.token, Token::Symbol(found) if found == symbol)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.token, Token::Word(found) if found == word)
    }

    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.eat(symbol) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{symbol}`")))
        }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if !self.is_word(word) {
            return Err(self.unexpected(&format!("`{word}`")));
        }
        self.advance();
        Ok(())
    }

    pub(super) fn binding(&mut self) -> Parsed<String> {
        match self.token {
            Token::Binding(name) if name != "__loc__" => {
                self.advance();
                Ok(name.to_owned())
            }
            _ => Err(self.unexpected("a variable")),
        }
    }

    pub(super) fn error(&self, message: String) -> CompileError {
        CompileError::new(message, self.text, self.at)
    }

    pub(super) fn unexpected(&self, expected: &str) -> CompileError {
        self.error(format!(
            "unexpected {}, expected {expected}",
            self.token.describe()
        ))
    }

    pub(super) fn check_stack(&self) -> Parsed<()> {
        if stack::is_below(self.stack_floor) {
            return Err(self.error("the program is nested too deeply".to_owned()));
        }
        Ok(())
    }

    pub(super) fn make(&self, kind: ExprKind, at: usize) -> Parsed<Expr> {
        let expr = Expr::new(kind, at);
        if expr.depth > MAX_DEPTH {
            return Err(self.error("the program is nested too deeply".to_owned()));
        }
        Ok(expr)
    }
}

// === impl Parser: queries ===

impl Parser<'_> {
    /// The loosest level: pipes.
    pub(super) fn query(&mut self) -> Parsed<Expr> {
        self.check_stack()?;
        let at = self.at;
        let mut parts = vec![self.commas()?];
        while self.eat("|") {
            parts.push(self.commas()?);
        }
        self.sequence(parts, at, ExprKind::Pipe)
    }

    fn commas(&mut self) -> Parsed<Expr> {
        let at = self.at;
        let mut parts = vec![self.operand()?];
        while self.eat(",") {
            parts.push(self.operand()?);
        }
        self.sequence(parts, at, ExprKind::Comma)
    }

    pub(super) fn sequence(
        &self,
        mut parts: Vec<Expr>,
        at: usize,
        of: fn(Vec<Expr>) -> ExprKind,
    ) -> Parsed<Expr> {
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            Some(last) => {
                parts.push(last);
                self.make(of(parts), at)
            }
            None => Err(self.unexpected("a term")),
        }
    }

    /// An operand of a comma: forms that take the rest of the query, or an expression.
    fn operand(&mut self) -> Parsed<Expr> {
        let at = self.at;
        if self.is_word("def") {
            let def = Box::new(self.definition()?);
            if self.token == Token::End {
                return Err(self.error("only definitions, no program after them".to_owned()));
            }
            let rest = Box::new(self.query()?);
            return self.make(ExprKind::Def { def, rest }, at);
        }
        if self.is_word("label") {
            self.advance();
            let name = self.binding()?;
            self.expect("|")?;
            let body = Box::new(self.query()?);
            return self.make(ExprKind::Label { name, body }, at);
        }
        let source = self.expression(0)?;
        if !self.is_word("as") {
            return Ok(source);
        }
        self.advance();
        let patterns = self.patterns()?;
        self.expect("|")?;
        let body = Box::new(self.query()?);
        self.make(
            ExprKind::As {
                source: Box::new(source),
                patterns,
                body,
            },
            at,
        )
    }

    fn definition(&mut self) -> Parsed<FuncDef> {
        self.check_stack()?;
        self.expect_word("def")?;
        let name = match self.token {
            Token::Word(name) if !is_keyword(name) => name.to_owned(),
            _ => return Err(self.unexpected("a function name")),
        };
        self.advance();
        let mut params = Vec::new();
        if self.eat("(") {
            loop {
                params.push(match self.token {
                    Token::Word(name) if !is_keyword(name) => Param {
                        name: name.to_owned(),
                        is_value: false,
                    },
                    Token::Binding(name) => Param {
                        name: name.to_owned(),
                        is_value: true,
                    },
                    _ => return Err(self.unexpected("a parameter")),
                });
                self.advance();
                if self.eat(")") {
                    break;
                }
                self.expect(";")?;
            }
        }
        self.expect(":")?;
        let body = self.query()?;
        self.expect(";")?;
        Ok(FuncDef { name, params, body })
    }

    /// Binary operators that bind at least as tightly as `level`.
    pub(super) fn expression(&mut self, level: u8) -> Parsed<Expr> {
        self.check_stack()?;
        let at = self.at;
        let mut left = self.term()?;
        let mut ungrouped = None;
        while let Some((operator, binds, grouping)) = operator(&self.token) {
            if binds < level {
                break;
            }
            if ungrouped == Some(binds) {
                return Err(self.unexpected("parentheses around operators that do not chain"));
            }
            self.advance();
            let right = match grouping {
                Grouping::Right => self.expression(binds)?,
                Grouping::Left | Grouping::None => self.expression(binds + 1)?,
            };
            ungrouped = (grouping == Grouping::None).then_some(binds);
            let (left_box, right) = (Box::new(left), Box::new(right));
            let kind = match operator {
                Operator::Binary(op) => ExprKind::Binary {
                    op,
                    left: left_box,
                    right,
                },
                Operator::Update(op) => ExprKind::Update {
                    op,
                    left: left_box,
                    right,
                },
            };
            left = self.make(kind, at)?;
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Ok(expr) => expr.to_string(),
            Err(error) => format!("{}:{} {}", error.line(), error.column(), error.message()),
        }
    }

    #[test]
    fn precedence_is_jqs() {
        for (text, expected) in [
            ("1 + 2 as $x | -$x", "1 + 2 as $x | -$x"),
            ("1 , 2 as $x | [$x]", "1, (2 as $x | [$x])"),
            ("1 // 2 // 3", "1 // (2 // 3)"),
            (".a = 1 // 2", "(.a = 1) // 2"),
            ("1 - 2 - 3", "(1 - 2) - 3"),
            (". or . and .", ". or (. and .)"),
            ("try error(\"x\") catch ., 2", "try error(\"x\") catch ., 2"),
            ("-1 + 2", "(-1) + 2"),
            ("{a: 1 + 2 | 3, \"b\"}", "{a: (1 + 2 | 3), \"b\"}"),
            ("def f: 1; f | 2", "def f: 1; f | 2"),
            (".a.b?[1:]?", ".a.b?[1:]?"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_name_what_was_expected() {
        for (text, expected) in [
            (".a | | .b", "1:6 unexpected `|`, expected a term"),
            (
                "1 < 2 < 3",
                "1:7 unexpected `<`, expected parentheses around operators that do not chain",
            ),
            ("{(1)}", "1:5 unexpected `}`, expected `:`"),
            ("\"a", "1:3 unexpected end of program in a string"),
            (
                "if . then 1",
                "1:12 unexpected end of program, expected `end`",
            ),
            ("..a", "1:3 unexpected `a`, expected end of program"),
            (
                "",
                "1:1 the program is empty; write `.` for the input itself",
            ),
            (".a\n  ]", "2:3 unexpected `]`, expected end of program"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        for open in [
            "[", "(", "{a:", "-", "def f: ", "\"\\(", "try ", "if ", ". as [", "1+(", ".[",
        ] {
            assert!(parse(&open.repeat(20_000)).is_err(), "{open}");
        }
        assert!(parse(&"1+".repeat(20_000)).is_err());
        assert!(parse(&format!(".{}", "|.".repeat(20_000))).is_ok());
    }
}
