//! Strings: formats, splitting, and the regular-expression builtins.

use std::sync::Arc;

use super::one::object_key;
use super::{Ctx, Env, Flow, Out, Res, Stop, type_error};
use crate::builtins::formats;
use crate::limits::LimitKind;
use crate::node::{Format, Node, Op, RegexAction};
use crate::regex::{Found, Regex, RegexCell, RegexError, SearchFlags};
use crate::value::{Key, Kind, Map, Repr, Value};

impl<'a> Ctx<'a> {
    /// Appends a value under a format.
    pub(crate) fn append_formatted(
        &mut self,
        format: Format,
        value: Value<'a>,
        out: &mut String,
    ) -> Flow<'a> {
        match (format, &value.0) {
            (Format::Text, Repr::StrRef(text)) => out.push_str(text),
            (Format::Text, Repr::StrOwn(text)) => out.push_str(text),
            (Format::Text | Format::Json, _) => out.push_str(&self.json_of(&value)?),
            _ => {
                let text = formats::format(self, format, value)?;
                out.push_str(&text);
            }
        }
        Ok(())
    }

    /// `split` on a plain separator; an empty one splits into characters.
    pub(crate) fn split(&mut self, text: &Value<'a>, separator: &Value<'a>) -> Res<'a> {
        let whole = text.as_str().unwrap_or_default();
        let separator = separator.as_str().unwrap_or_default();
        self.work(whole.len() / 64)?;
        let mut items = Vec::new();
        let mut push = |ctx: &mut Ctx<'a>, start: usize, end: usize| -> Flow<'a> {
            ctx.charge_items(1)?;
            items.push(ctx.substring(text, start, end)?);
            Ok(())
        };
        if whole.is_empty() {
            return self.array(Vec::new());
        }
        if separator.is_empty() {
            for (at, character) in whole.char_indices() {
                push(self, at, at + character.len_utf8())?;
            }
            return self.array(items);
        }
        let mut from = 0;
        for (at, _) in whole.match_indices(separator) {
            push(self, from, at)?;
            from = at + separator.len();
        }
        push(self, from, whole.len())?;
        self.array(items)
    }

    /// A part of a string; borrowed when the string is.
    fn substring(&mut self, text: &Value<'a>, start: usize, end: usize) -> Res<'a> {
        match &text.0 {
            Repr::StrRef(text) => Ok(Value::str(&text[start..end])),
            _ => self.string(text.as_str().unwrap_or_default()[start..end].to_owned()),
        }
    }
}

// === Regular expressions ===

/// Evaluated arguments of a regex builtin.
struct Search<'s, 'a> {
    regex: &'s Regex,
    text: Value<'a>,
    flags: SearchFlags,
}

impl<'a> Ctx<'a> {
    #[inline(never)]
    pub(super) fn regex_one(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
    ) -> Res<'a> {
        let Op::Regex {
            action,
            regex,
            flags,
            cell,
        } = &node.op
        else {
            return Ok(Value::NULL);
        };
        // Constants that are compiled already need no second look.
        if regex.constant().is_some()
            && flags.constant().is_some()
            && let Some((regex, flags)) = cell.constant(self.regex_backtracks)
        {
            check_text(&input)?;
            return self.act(*action, regex, flags, input);
        }
        let flags = self.one(flags, env, input.clone())?;
        let regex = self.one(regex, env, input.clone())?;
        self.run_regex(node, input, &regex, &flags)
    }

    /// Actions of several outputs push the items of their array.
    #[inline(never)]
    pub(super) fn many_regex(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Regex {
            action,
            regex,
            flags,
            ..
        } = &node.op
        else {
            return Ok(());
        };
        let spreads = !matches!(action, RegexAction::Test | RegexAction::Split);
        // `scan` and `splits` bind their arguments in order; the others vary the first fastest.
        let regex_outer = matches!(
            action,
            RegexAction::Scan | RegexAction::Split | RegexAction::Splits
        );
        let (outer, inner) = if regex_outer {
            (regex, flags)
        } else {
            (flags, regex)
        };
        self.many(outer, env, input.clone(), &mut |ctx, outer| {
            ctx.many(inner, env, input.clone(), &mut |ctx, inner| {
                let (regex, flags) = if regex_outer {
                    (&outer, &inner)
                } else {
                    (&inner, &outer)
                };
                let result = ctx.run_regex(node, input.clone(), regex, flags)?;
                if spreads {
                    ctx.iterate(false, result, out)
                } else {
                    out(ctx, result)
                }
            })
        })
    }

    fn run_regex(
        &mut self,
        node: &'a Node,
        input: Value<'a>,
        regex: &Value<'a>,
        flags: &Value<'a>,
    ) -> Res<'a> {
        let Op::Regex { action, cell, .. } = &node.op else {
            return Ok(Value::NULL);
        };
        let (regex, flags) = self.regex_arguments(*action, regex, flags)?;
        check_text(&input)?;
        let (regex, flags) = self.prepare(&regex, &flags, cell)?;
        self.act(*action, &regex, flags, input)
    }

    fn act(
        &mut self,
        action: RegexAction,
        regex: &Regex,
        flags: SearchFlags,
        text: Value<'a>,
    ) -> Res<'a> {
        let search = |text| Search { regex, text, flags };
        match action {
            RegexAction::Test => self.regex_test(regex, text.as_str().unwrap_or_default()),
            RegexAction::Match => self.regex_matches(&search(text)),
            RegexAction::Capture => self.regex_captures(&search(text)),
            RegexAction::Scan => self.regex_scan(&search(text)),
            RegexAction::Split | RegexAction::Splits => self.regex_split(&search(text)),
        }
    }

    /// `test(["re", "flags"])` is `test("re"; "flags")`; scanning and splitting are global.
    fn regex_arguments(
        &mut self,
        action: RegexAction,
        regex: &Value<'a>,
        flags: &Value<'a>,
    ) -> Result<(Value<'a>, Value<'a>), Stop<'a>> {
        match action {
            RegexAction::Scan | RegexAction::Split | RegexAction::Splits => {
                let global = Value::str("g");
                let flags = match action {
                    RegexAction::Scan => self.add(global, flags.clone())?,
                    _ => self.add(flags.clone(), global)?,
                };
                Ok((regex.clone(), flags))
            }
            _ if !is_unset(flags) => Ok((regex.clone(), flags.clone())),
            _ => match (regex.kind(), regex.len()) {
                (Kind::String, _) => Ok((regex.clone(), Value::NULL)),
                (Kind::Array, Some(1)) => {
                    Ok((regex.get_index(0).unwrap_or(Value::NULL), Value::NULL))
                }
                (Kind::Array, Some(2..)) => Ok((
                    regex.get_index(0).unwrap_or(Value::NULL),
                    regex.get_index(1).unwrap_or(Value::NULL),
                )),
                (kind, _) => Err(Stop::message(format!(
                    "{} not a string or array",
                    kind.name()
                ))),
            },
        }
    }

    /// The compiled regex, from where it is kept if it has been compiled before.
    fn prepare(
        &mut self,
        regex: &Value<'a>,
        flags: &Value<'a>,
        cell: &RegexCell,
    ) -> Result<(Arc<Regex>, SearchFlags), Stop<'a>> {
        let pattern = super::access::need_string(regex)?;
        let flags_text = match flags.kind() {
            Kind::Null => "",
            _ => super::access::need_string(flags)?,
        };
        let flags = SearchFlags::parse(flags_text)
            .ok_or_else(|| Stop::message(format!("{flags_text} is not a valid modifier string")))?;
        if let Some(regex) = cell.get(pattern, flags, self.regex_backtracks) {
            return Ok((regex, flags));
        }
        let key = format!("{}/{pattern}", flags.syntax_key());
        if let Some((_, regex)) = self.regexes.iter().find(|(known, _)| *known == key) {
            return Ok((Arc::clone(regex), flags));
        }
        // Compiling is far more work than a step, and keeps memory.
        self.work(200 + pattern.len() * 4)?;
        self.charge(1024 + pattern.len() * 64)?;
        let regex = Regex::compile(pattern, flags, self.regex_backtracks)
            .map_err(|message| Stop::message(format!("Regex failure: {message}")))?;
        let regex = Arc::new(regex);
        cell.keep(pattern, flags, &regex);
        if self.regexes.len() >= 32 {
            self.regexes.remove(0);
        }
        self.regexes.push((key, Arc::clone(&regex)));
        Ok((regex, flags))
    }

    /// Every match, or only the first one without the global flag.
    fn each_match(
        &mut self,
        search: &Search<'_, 'a>,
        found: &mut dyn FnMut(&mut Ctx<'a>, &Found) -> Flow<'a>,
    ) -> Flow<'a> {
        let text = search.text.as_str().unwrap_or_default();
        let mut from = 0;
        loop {
            self.tick()?;
            self.work(text.len().saturating_sub(from) / 64)?;
            let hit = match search.regex.find(text, from) {
                Ok(Some(hit)) => hit,
                Ok(None) => return Ok(()),
                Err(error) => return Err(regex_stop(error)),
            };
            found(self, &hit)?;
            if !search.flags.global {
                return Ok(());
            }
            let (start, end) = hit.whole();
            if start != end {
                from = end;
                continue;
            }
            // Past the next character, so that an empty match happens once a place.
            let Some(character) = text[end..].chars().next() else {
                return Ok(());
            };
            from = end + character.len_utf8();
            for left in (1..character.len_utf8()).rev() {
                self.work(1 + text.len() / 64)?;
                let inside = search
                    .regex
                    .find_inside(text, from, left)
                    .map_err(regex_stop)?;
                if let Some(inside) = inside {
                    found(self, &inside)?;
                }
            }
        }
    }

    fn regex_test(&mut self, regex: &Regex, text: &str) -> Res<'a> {
        self.work(text.len() / 64)?;
        let found = regex.is_match(text).map_err(regex_stop)?;
        Ok(Value::boolean(found))
    }

    fn regex_matches(&mut self, search: &Search<'_, 'a>) -> Res<'a> {
        let mut matches = Vec::new();
        let mut cursor = Cursor::new(search.text.as_str().unwrap_or_default());
        self.each_match(search, &mut |ctx, hit| {
            matches.push(ctx.match_object(search, hit, &mut cursor)?);
            ctx.charge_items(1)
        })?;
        self.array(matches)
    }

    fn match_object(
        &mut self,
        search: &Search<'_, 'a>,
        hit: &Found,
        cursor: &mut Cursor<'_>,
    ) -> Res<'a> {
        let (start, end) = hit.whole();
        let mut captures = Vec::with_capacity(hit.groups().len());
        let offset = cursor.chars_before(start);
        for (at, group) in hit.groups().iter().enumerate() {
            let mut map = Map::with_capacity(4);
            let (group_offset, length, text) = match group {
                Some((from, to)) => (
                    // Inside an empty match the reference gives every group the match's offset.
                    if start == end {
                        offset
                    } else {
                        cursor.chars_before(*from)
                    },
                    cursor.chars_between(*from, *to),
                    self.substring(&search.text, *from, *to)?,
                ),
                None => (-1.0, 0.0, Value::NULL),
            };
            map.push_unique(Key::Ref("offset"), Value::number(group_offset));
            if matches!(group, Some((from, to)) if from != to) {
                map.push_unique(Key::Ref("length"), Value::number(length));
                map.push_unique(Key::Ref("string"), text);
            } else {
                map.push_unique(Key::Ref("string"), text);
                map.push_unique(Key::Ref("length"), Value::number(length));
            }
            let name = match search.regex.name(at + 1) {
                Some(name) => Value::string(name),
                None => Value::NULL,
            };
            map.push_unique(Key::Ref("name"), name);
            captures.push(self.object(map)?);
        }
        let mut map = Map::with_capacity(4);
        map.push_unique(Key::Ref("offset"), Value::number(offset));
        map.push_unique(
            Key::Ref("length"),
            Value::number(cursor.chars_between(start, end)),
        );
        map.push_unique(
            Key::Ref("string"),
            self.substring(&search.text, start, end)?,
        );
        map.push_unique(Key::Ref("captures"), self.array(captures)?);
        self.object(map)
    }

    /// The named groups of a match as an object.
    fn capture_object(&mut self, regex: &Regex, text: &Value<'a>, hit: &Found) -> Res<'a> {
        let mut map = Map::default();
        for (at, group) in hit.groups().iter().enumerate() {
            let Some(name) = regex.name(at + 1) else {
                continue;
            };
            let value = match group {
                Some((from, to)) => self.substring(text, *from, *to)?,
                None => Value::NULL,
            };
            map.insert(object_key(&Value::string(name))?, value);
        }
        self.object(map)
    }

    fn regex_captures(&mut self, search: &Search<'_, 'a>) -> Res<'a> {
        let mut objects = Vec::new();
        self.each_match(search, &mut |ctx, hit| {
            objects.push(ctx.capture_object(search.regex, &search.text, hit)?);
            ctx.charge_items(1)
        })?;
        self.array(objects)
    }

    fn regex_scan(&mut self, search: &Search<'_, 'a>) -> Res<'a> {
        let mut items = Vec::new();
        self.each_match(search, &mut |ctx, hit| {
            let (start, end) = hit.whole();
            if hit.groups().is_empty() {
                items.push(ctx.substring(&search.text, start, end)?);
                return ctx.charge_items(1);
            }
            let mut groups = Vec::with_capacity(hit.groups().len());
            for group in hit.groups() {
                groups.push(match group {
                    Some((from, to)) => ctx.substring(&search.text, *from, *to)?,
                    None => Value::NULL,
                });
            }
            items.push(ctx.array(groups)?);
            ctx.charge_items(1)
        })?;
        self.array(items)
    }

    fn regex_split(&mut self, search: &Search<'_, 'a>) -> Res<'a> {
        let mut items = Vec::new();
        let mut from = 0;
        self.each_match(search, &mut |ctx, hit| {
            let (start, end) = hit.whole();
            items.push(ctx.substring(&search.text, from.min(start), start)?);
            from = end;
            ctx.charge_items(1)
        })?;
        let len = search.text.as_str().unwrap_or_default().len();
        items.push(self.substring(&search.text, from, len)?);
        self.array(items)
    }

    #[inline(never)]
    pub(super) fn many_substitute(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Substitute {
            regex,
            flags,
            global,
            ..
        } = &node.op
        else {
            return Ok(());
        };
        self.many(regex, env, input.clone(), &mut |ctx, regex| {
            ctx.many(flags, env, input.clone(), &mut |ctx, flags| {
                let flags = match (global, flags.kind()) {
                    (true, _) => ctx.add(flags, Value::str("g"))?,
                    (false, _) => flags,
                };
                ctx.substitute(node, env, &input, &regex, &flags, out)
            })
        })
    }

    /// Every output of the replacement makes a text of its own.
    fn substitute(
        &mut self,
        node: &'a Node,
        env: &Env<'_, 'a>,
        input: &Value<'a>,
        regex: &Value<'a>,
        flags: &Value<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Op::Substitute {
            replacement, cell, ..
        } = &node.op
        else {
            return Ok(());
        };
        check_text(input)?;
        let (regex, flags) = self.prepare(regex, flags, cell)?;
        let search = Search {
            regex: &regex,
            text: input.clone(),
            flags,
        };
        let mut texts: Vec<Option<Value<'a>>> = Vec::new();
        let mut previous = 0;
        self.each_match(&search, &mut |ctx, hit| {
            let (start, end) = hit.whole();
            let gap = ctx.substring(input, previous.min(start), start)?;
            let captures = ctx.capture_object(search.regex, input, hit)?;
            let mut at = 0;
            ctx.many(replacement, env, captures, &mut |ctx, insert| {
                if at == texts.len() {
                    texts.push(None);
                }
                let grown = match texts[at].take() {
                    Some(text) => ctx.add(text, gap.clone())?,
                    None => gap.clone(),
                };
                let insert_is_text = insert.kind() == Kind::String;
                if !insert_is_text && !insert.is_null() {
                    return Err(super::type_error2(&gap, &insert, "cannot be added"));
                }
                texts[at] = Some(ctx.add(grown, insert)?);
                at += 1;
                Ok(())
            })?;
            previous = end;
            Ok(())
        })?;
        if texts.is_empty() {
            return out(self, input.clone());
        }
        let len = input.as_str().unwrap_or_default().len();
        for text in texts.into_iter().flatten() {
            let tail = self.substring(input, previous, len)?;
            let text = self.add(text, tail)?;
            out(self, text)?;
        }
        Ok(())
    }
}

fn check_text<'a>(text: &Value<'a>) -> Flow<'a> {
    match text.kind() {
        Kind::String => Ok(()),
        _ => Err(type_error(text, "cannot be matched, as it is not a string")),
    }
}

fn regex_stop<'a>(error: RegexError) -> Stop<'a> {
    match error {
        RegexError::Backtracks => Stop::limit(LimitKind::RegexBacktracks),
        RegexError::Other(message) => Stop::message(format!("Regex failure: {message}")),
    }
}

fn is_unset(flags: &Value<'_>) -> bool {
    flags.is_null()
}

/// Counts characters up to byte positions, going on from the last one where it can.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
    chars: usize,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Cursor<'t> {
        Cursor {
            text,
            at: 0,
            chars: 0,
        }
    }

    fn chars_before(&mut self, at: usize) -> f64 {
        if at < self.at {
            return self.text[..at].chars().count() as f64;
        }
        self.chars += self.text[self.at..at].chars().count();
        self.at = at;
        self.chars as f64
    }

    fn chars_between(&self, from: usize, to: usize) -> f64 {
        self.text[from..to].chars().count() as f64
    }
}
