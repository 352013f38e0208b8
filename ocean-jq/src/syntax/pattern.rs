//! Destructuring patterns: `$x`, `[$a, $b]`, `{a: $x, $y, ("k"): $z}`, alternatives with `?//`.

use super::ast::{Pattern, PatternKey};
use super::lexer::Token;
use super::parser::{Parsed, Parser};

impl Parser<'_> {
    pub(super) fn patterns(&mut self) -> Parsed<Vec<Pattern>> {
        let mut patterns = vec![self.pattern()?];
        while self.eat("?//") {
            patterns.push(self.pattern()?);
        }
        Ok(patterns)
    }

    fn pattern(&mut self) -> Parsed<Pattern> {
        self.check_stack()?;
        match *self.token() {
            Token::Binding(name) if name != "__loc__" => {
                self.advance();
                Ok(Pattern::Var(name.to_owned()))
            }
            Token::Symbol("[") => {
                self.advance();
                let mut items = vec![self.pattern()?];
                while self.eat(",") {
                    items.push(self.pattern()?);
                }
                self.expect("]")?;
                Ok(Pattern::Array(items))
            }
            Token::Symbol("{") => {
                self.advance();
                let mut entries = vec![self.pattern_entry()?];
                while self.eat(",") {
                    entries.push(self.pattern_entry()?);
                }
                self.expect("}")?;
                Ok(Pattern::Object(entries))
            }
            _ => Err(self.unexpected("a variable, `[` or `{`")),
        }
    }

    fn pattern_entry(&mut self) -> Parsed<(PatternKey, Option<Pattern>)> {
        let key = match *self.token() {
            Token::Binding(name) if name != "__loc__" => {
                self.advance();
                let value = if self.eat(":") {
                    Some(self.pattern()?)
                } else {
                    None
                };
                return Ok((PatternKey::Var(name.to_owned()), value));
            }
            Token::Word(name) => {
                self.advance();
                PatternKey::Name(name.to_owned())
            }
            Token::Quote => PatternKey::Str(self.string_term()?),
            Token::Format(_) => PatternKey::Str(self.string_term()?),
            Token::Symbol("(") => {
                self.advance();
                let key = self.query()?;
                self.expect(")")?;
                PatternKey::Expr(key)
            }
            _ => return Err(self.unexpected("a variable or an object key")),
        };
        self.expect(":")?;
        Ok((key, Some(self.pattern()?)))
    }
}
