//! Terms: literals, steps, keywords, strings, arrays and objects.

use super::ast::{Entry, EntryKey, Expr, ExprKind, StrPart};
use super::lexer::{StringStop, Token, is_keyword};
use super::parser::{Parsed, Parser};
use crate::error::CompileError;

// === impl Parser ===

impl Parser<'_> {
    /// A term with its postfix steps.
    pub(super) fn term(&mut self) -> Parsed<Expr> {
        self.check_stack()?;
        let at = self.at;
        let mut term = self.primary()?;
        loop {
            match self.token {
                Token::Field(name) => {
                    self.advance();
                    term = self.field(term, name, at)?;
                }
                Token::Symbol(".") => {
                    self.advance();
                    match self.token {
                        Token::Quote | Token::Format(_) => {
                            let key = self.string_term()?;
                            term = self.index(term, key, at)?;
                        }
                        Token::Symbol("[") => term = self.bracket(term, at)?,
                        _ => return Err(self.unexpected("a field name, a string or `[`")),
                    }
                }
                Token::Symbol("[") => term = self.bracket(term, at)?,
                Token::Symbol("?") => {
                    self.advance();
                    term = self.make(ExprKind::Optional(Box::new(term)), at)?;
                }
                _ => return Ok(term),
            }
        }
    }

    fn field(&mut self, target: Expr, name: &str, at: usize) -> Parsed<Expr> {
        let parts = vec![StrPart::Text(name.to_owned())];
        let key = Expr::new(
            ExprKind::Str {
                format: None,
                parts,
            },
            at,
        );
        self.index(target, key, at)
    }

    fn index(&mut self, target: Expr, key: Expr, at: usize) -> Parsed<Expr> {
        let optional = self.eat("?");
        let (target, key) = (Box::new(target), Box::new(key));
        self.make(
            ExprKind::Index {
                target,
                key,
                optional,
            },
            at,
        )
    }

    /// `[…]` after a term.
    fn bracket(&mut self, target: Expr, at: usize) -> Parsed<Expr> {
        self.expect("[")?;
        let target = Box::new(target);
        if self.eat("]") {
            let optional = self.eat("?");
            return self.make(ExprKind::Iterate { target, optional }, at);
        }
        let from = if self.is(":") {
            None
        } else {
            Some(self.query()?)
        };
        let mut to = None;
        if self.eat(":") {
            if from.is_none() || !self.is("]") {
                to = Some(self.query()?);
            }
        } else if let Some(key) = from {
            self.expect("]")?;
            return self.index(*target, key, at);
        }
        self.expect("]")?;
        let optional = self.eat("?");
        let (from, to) = (from.map(Box::new), to.map(Box::new));
        self.make(
            ExprKind::Slice {
                target,
                from,
                to,
                optional,
            },
            at,
        )
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let at = self.at;
        let kind = match self.token {
            Token::Number(text) => {
                self.advance();
                ExprKind::Number(text.to_owned())
            }
            Token::Quote | Token::Format(_) => return self.string_term(),
            Token::Field(name) => {
                self.advance();
                return self.field(Expr::new(ExprKind::Identity, at), name, at);
            }
            Token::Binding("__loc__") => {
                let line = self.line();
                self.advance();
                ExprKind::Loc(line)
            }
            Token::Binding(name) => {
                self.advance();
                ExprKind::Var(name.to_owned())
            }
            Token::Word(word) => return self.word(word, at),
            Token::Symbol(symbol) => return self.symbol(symbol, at),
            Token::End | Token::Invalid(_) => return Err(self.unexpected("a term")),
        };
        self.make(kind, at)
    }

    fn line(&self) -> usize {
        self.text[..self.at].matches('\n').count() + 1
    }

    fn symbol(&mut self, symbol: &str, at: usize) -> Parsed<Expr> {
        let kind = match symbol {
            "." => {
                self.advance();
                if let Token::Quote | Token::Format(_) = self.token {
                    let key = self.string_term()?;
                    return self.index(Expr::new(ExprKind::Identity, at), key, at);
                }
                if let Token::Word(word) = self.token
                    && !is_keyword(word)
                {
                    return Err(self.unexpected("a field name directly after the dot"));
                }
                ExprKind::Identity
            }
            ".." => {
                self.advance();
                ExprKind::RecurseAll
            }
            "(" => {
                self.advance();
                let inner = self.query()?;
                self.expect(")")?;
                return Ok(inner);
            }
            "[" => {
                self.advance();
                if self.eat("]") {
                    ExprKind::Array(None)
                } else {
                    let body = Box::new(self.query()?);
                    self.expect("]")?;
                    ExprKind::Array(Some(body))
                }
            }
            "{" => return self.object(at),
            "-" => {
                self.advance();
                ExprKind::Negate(Box::new(self.term()?))
            }
            _ => return Err(self.unexpected("a term")),
        };
        self.make(kind, at)
    }

    fn word(&mut self, word: &str, at: usize) -> Parsed<Expr> {
        match word {
            "if" => return self.conditional(at),
            "try" => return self.attempt(at),
            "reduce" | "foreach" => return self.fold(word == "reduce", at),
            "break" => {
                self.advance();
                let name = self.binding()?;
                return self.make(ExprKind::Break(name), at);
            }
            _ if is_keyword(word) => return Err(self.unexpected("a term")),
            _ => {}
        }
        let name = word.to_owned();
        self.advance();
        let mut args = Vec::new();
        if self.eat("(") {
            loop {
                args.push(self.query()?);
                if self.eat(")") {
                    break;
                }
                self.expect(";")?;
            }
        }
        self.make(ExprKind::Call { name, args }, at)
    }

    fn conditional(&mut self, at: usize) -> Parsed<Expr> {
        let mut branches = Vec::new();
        self.expect_word("if")?;
        loop {
            let test = self.query()?;
            self.expect_word("then")?;
            branches.push((test, self.query()?));
            if !self.is_word("elif") {
                break;
            }
            self.advance();
        }
        let mut otherwise = None;
        if self.is_word("else") {
            self.advance();
            otherwise = Some(Box::new(self.query()?));
        }
        self.expect_word("end")?;
        self.make(
            ExprKind::If {
                branches,
                otherwise,
            },
            at,
        )
    }

    fn attempt(&mut self, at: usize) -> Parsed<Expr> {
        self.expect_word("try")?;
        let body = Box::new(self.term()?);
        let mut handler = None;
        if self.is_word("catch") {
            self.advance();
            handler = Some(Box::new(self.term()?));
        }
        self.make(ExprKind::Try { body, handler }, at)
    }

    fn fold(&mut self, is_reduce: bool, at: usize) -> Parsed<Expr> {
        self.advance();
        let source = Box::new(self.expression(0)?);
        self.expect_word("as")?;
        let patterns = self.patterns()?;
        self.expect("(")?;
        let init = Box::new(self.query()?);
        self.expect(";")?;
        let update = Box::new(self.query()?);
        if is_reduce {
            self.expect(")")?;
            return self.make(
                ExprKind::Reduce {
                    source,
                    patterns,
                    init,
                    update,
                },
                at,
            );
        }
        let extract = if self.eat(";") {
            Some(Box::new(self.query()?))
        } else {
            None
        };
        self.expect(")")?;
        self.make(
            ExprKind::Foreach {
                source,
                patterns,
                init,
                update,
                extract,
            },
            at,
        )
    }

    /// A string, a format, or a string under a format.
    pub(super) fn string_term(&mut self) -> Parsed<Expr> {
        let at = self.at;
        let mut format = None;
        if let Token::Format(name) = self.token {
            self.advance();
            if self.token != Token::Quote {
                return self.make(ExprKind::Format(name.to_owned()), at);
            }
            format = Some(name.to_owned());
        }
        let mut parts = Vec::new();
        loop {
            let mut text = String::new();
            let stop = self.lexer.string_text(&mut text).map_err(|message| {
                CompileError::new(message.to_owned(), self.text, self.lexer.position())
            })?;
            if !text.is_empty() {
                parts.push(StrPart::Text(text));
            }
            match stop {
                StringStop::End => break,
                StringStop::Interpolation => {
                    self.advance();
                    parts.push(StrPart::Interpolation(self.query()?));
                    // The closing parenthesis is the current token: text goes on behind it.
                    if !self.is(")") {
                        return Err(self.unexpected("`)`"));
                    }
                }
            }
        }
        self.advance();
        self.make(ExprKind::Str { format, parts }, at)
    }

    fn object(&mut self, at: usize) -> Parsed<Expr> {
        self.expect("{")?;
        let mut entries = Vec::new();
        while !self.is("}") {
            entries.push(self.entry()?);
            if !self.eat(",") {
                break;
            }
        }
        self.expect("}")?;
        self.make(ExprKind::Object(entries), at)
    }

    fn entry(&mut self) -> Parsed<Entry> {
        let at = self.at;
        let mut needs_value = false;
        let key = match self.token {
            Token::Word(name) => {
                self.advance();
                EntryKey::Name(name.to_owned())
            }
            Token::Quote | Token::Format(_) => EntryKey::Str(self.string_term()?),
            Token::Binding(_) => {
                let var = self.primary()?;
                needs_value = false;
                EntryKey::Var(var)
            }
            Token::Symbol("(") => {
                self.advance();
                let key = self.query()?;
                self.expect(")")?;
                needs_value = true;
                EntryKey::Expr(key)
            }
            _ => return Err(self.unexpected("an object key")),
        };
        if let EntryKey::Str(Expr {
            kind: ExprKind::Format(_),
            ..
        }) = key
        {
            return Err(CompileError::new(
                "a format needs a string to be an object key".to_owned(),
                self.text,
                at,
            ));
        }
        let value = if self.eat(":") {
            Some(self.entry_value()?)
        } else if needs_value {
            return Err(self.unexpected("`:`"));
        } else {
            None
        };
        Ok(Entry { key, value })
    }

    /// Values of entries are expressions joined by pipes; a comma would end the entry.
    fn entry_value(&mut self) -> Parsed<Expr> {
        self.check_stack()?;
        let at = self.at;
        let mut parts = vec![self.expression(0)?];
        while self.eat("|") {
            parts.push(self.expression(0)?);
        }
        self.sequence(parts, at, ExprKind::Pipe)
    }
}
