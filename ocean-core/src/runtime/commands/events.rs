//! `events`, `dead` and `replay`: the operator's view of the event store, with or without a server
//! running on it.

use std::{io::Write as _, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use super::table::{plain, table};
use crate::{
    admin::view,
    event::EventId,
    processor::lane_of_key,
    queue::{
        Action, ActionOutcome, EventState, Filter, Journal, Stored, Story, Summary, WriteKind,
        embedded,
    },
    runtime::{
        cli::{DeadCommand, EventsCommand, ListArgs, ReplayArgs, SelectionArgs},
        config::duration,
    },
};

/// Runs `events ..`.
pub(crate) fn events(folder: &Path, command: Option<EventsCommand>) -> anyhow::Result<()> {
    let journal = embedded::Reader::open(folder)?;
    match command.unwrap_or(EventsCommand::List(ListArgs {
        limit: 50,
        ..ListArgs::default()
    })) {
        EventsCommand::List(arguments) => list(&journal, Vec::new(), &arguments),
        EventsCommand::Show { id, json } => show(&journal, &id, json),
        EventsCommand::Tail(arguments) => tail(&journal, arguments.json),
    }
}

/// Runs `dead ..`.
pub(crate) fn dead(folder: &Path, command: Option<DeadCommand>) -> anyhow::Result<()> {
    let journal = embedded::Reader::open(folder)?;
    match command.unwrap_or(DeadCommand::List(ListArgs {
        limit: 50,
        ..ListArgs::default()
    })) {
        DeadCommand::List(arguments) => {
            let states = vec![EventState::Dead, EventState::Refused];
            list(&journal, states, &arguments)
        }
        DeadCommand::Show { id, json } => show(&journal, &id, json),
        DeadCommand::Replay { ids, all } => {
            operate(folder, Action::Replay(chosen(&journal, &ids, all)?))
        }
        DeadCommand::Discard { ids, all } => {
            operate(folder, Action::Discard(chosen(&journal, &ids, all)?))
        }
    }
}

/// Which events `replay` is about, and what it needs to tell kinds from the stored events.
pub(crate) trait KindOf {
    /// Whether a processor of this kind is for the event.
    fn is_for(&self, stored: &Stored, kind: &str) -> bool;
}

/// Runs `replay ..`. `kinds` answers `--kind`; `preview` shows what an event would write.
pub(crate) async fn replay<P>(
    folder: &Path,
    arguments: ReplayArgs,
    kinds: &dyn KindOf,
    mut preview: P,
) -> anyhow::Result<()>
where
    P: AsyncFnMut(&Stored) -> anyhow::Result<String>,
{
    let selection = &arguments.selection;
    if selection.since.is_none() && selection.until.is_none() {
        bail!("which events? give --since, such as --since 2h, or --until");
    }
    let journal = embedded::Reader::open(folder)?;
    let mut ids = Vec::new();
    let mut filter = filter(selection, vec![EventState::Done, EventState::Dead])?;
    filter.limit = PAGE;
    // A replay has the date of the event it repeats; replaying it as well would double the effect.
    filter.replays = false;
    loop {
        let page = journal.list(&filter)?;
        let Some(last) = page.last() else { break };
        filter.before = Some(last.id);
        for summary in page {
            if !summary.body_kept {
                continue;
            }
            if let Some(kind) = &selection.kind {
                let stored = journal.show(&summary.id.to_string())?;
                if !stored.is_some_and(|(_, stored)| kinds.is_for(&stored, kind)) {
                    continue;
                }
            }
            ids.push(summary.id);
        }
    }
    // Oldest first, so that the order of arrival is that of the first time.
    ids.reverse();
    if arguments.dry_run {
        for id in &ids {
            let Some((_, stored)) = journal.show(&id.to_string())? else {
                continue;
            };
            print(&format!("{id} {}\n", stored.event.name().unwrap_or("-")))?;
            print(&preview(&stored).await?)?;
        }
        return print(&format!("{} events would be replayed\n", ids.len()));
    }
    let mut left = Vec::new();
    for (done, chunk) in ids.chunks(PROGRESS_STEP).enumerate() {
        for result in embedded::operate(folder, Action::Replay(chunk.to_vec()))? {
            if let ActionOutcome::Refused(reason) = result.outcome {
                left.push(format!("{} left alone: {reason}\n", result.id));
            }
        }
        let done = (done * PROGRESS_STEP + chunk.len()).min(ids.len());
        progress(done, ids.len());
    }
    print(&left.concat())?;
    print(&format!("{} events replayed\n", ids.len() - left.len()))
}

const PAGE: usize = 1_000;
const PROGRESS_STEP: usize = 100;

#[expect(clippy::print_stderr, reason = "a progress bar, for people only")]
fn progress(done: usize, all: usize) {
    use std::io::IsTerminal as _;
    if !std::io::stderr().is_terminal() || all == 0 {
        return;
    }
    let filled = done * 40 / all;
    eprint!(
        "\r[{}{}] {done}/{all}",
        "#".repeat(filled),
        ".".repeat(40 - filled)
    );
    if done == all {
        eprintln!();
    }
}

fn list(
    journal: &dyn Journal,
    states: Vec<EventState>,
    arguments: &ListArgs,
) -> anyhow::Result<()> {
    let mut filter = filter(&arguments.selection, states)?;
    filter.limit = arguments.limit;
    let events = journal.list(&filter)?;
    if arguments.json {
        let events: Vec<_> = events.iter().map(view::summary).collect();
        return print(&format!("{}\n", serde_json::to_string_pretty(&events)?));
    }
    if events.is_empty() {
        return print("no events\n");
    }
    print(&table(&HEAD, &events.iter().map(row).collect::<Vec<_>>()))
}

const HEAD: [&str; 6] = ["ID", "RECEIVED", "STATE", "EVENT", "ATTEMPTS", "REASON"];

fn row(event: &Summary) -> Vec<String> {
    let reason = event.reason.clone().or_else(|| {
        event
            .next_attempt_at
            .map(|at| format!("next attempt at {}", second(at)))
    });
    vec![
        event.id.to_string(),
        second(event.received_at),
        state(event.state).to_owned(),
        format!("{} {}", event.path, event.name.as_deref().unwrap_or("-")),
        event.attempts.to_string(),
        reason.unwrap_or_default(),
    ]
}

fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn state(state: EventState) -> &'static str {
    match state {
        EventState::Pending => "pending",
        EventState::Done => "done",
        EventState::Dead => "dead",
        EventState::Ignored => "ignored",
        EventState::Superseded => "superseded",
        EventState::Discarded => "discarded",
        EventState::Refused => "refused",
    }
}

fn show(journal: &dyn Journal, id: &str, json: bool) -> anyhow::Result<()> {
    let Some((summary, stored)) = journal.show(id)? else {
        bail!("there is no event `{id}`")
    };
    if json {
        let event = view::event(&summary, &stored);
        return print(&format!("{}\n", serde_json::to_string_pretty(&event)?));
    }
    print(&life(&summary, &stored))
}

/// The whole life of an event, in words.
fn life(summary: &Summary, stored: &Stored) -> String {
    let mut text = String::new();
    let event = &stored.event;
    let name = event.name().unwrap_or("without name");
    let mut line = |words: std::fmt::Arguments<'_>| {
        text.push_str(&plain(&words.to_string()));
        text.push('\n');
    };
    line(format_args!(
        "event {} ({name}) on {}: {}",
        summary.id,
        event.path(),
        state(summary.state)
    ));
    if let Some(reason) = &summary.reason {
        line(format_args!("  reason      {reason}"));
    }
    line(format_args!(
        "  received    {}, {} bytes",
        summary.received_at, summary.body_bytes
    ));
    if let Some(delivery) = event.delivery() {
        line(format_args!("  delivery    {delivery}"));
    }
    if let Some(first) = summary.replay_of {
        line(format_args!("  replay of   {first}"));
    }
    if stored.restarts > 0 {
        line(format_args!(
            "  restarts    {} while it was running",
            stored.restarts
        ));
    }
    tell(&stored.story, &mut line);
    if let Some(at) = summary.next_attempt_at {
        line(format_args!("  next        attempt at {at}"));
    }
    if let Some(at) = summary.finished_at {
        line(format_args!("  finished    {at}"));
    }
    text
}

fn tell(story: &Story, line: &mut impl FnMut(std::fmt::Arguments<'_>)) {
    for run in &story.runs {
        let resource = run.resource.as_deref().map(|name| format!(" for {name}"));
        let outcome = format!("{:?}", run.state).to_lowercase();
        line(format_args!(
            "  processor {}{}: {outcome}",
            run.processor,
            resource.unwrap_or_default()
        ));
        for (number, attempt) in run.attempts.iter().enumerate() {
            line(format_args!(
                "    attempt {} at {}, {} ms: {} updated, {} deleted",
                number + 1,
                attempt.at,
                attempt.took_ms,
                attempt.updated,
                attempt.deleted
            ));
            for error in &attempt.error {
                line(format_args!("      error   {error}"));
            }
            for write in &attempt.writes {
                let kind = match write.kind {
                    WriteKind::Upsert => "upsert",
                    WriteKind::Delete => "delete",
                };
                line(format_args!(
                    "      {kind}  {}/{}: {}",
                    write.blueprint, write.identifier, write.answer
                ));
            }
            for note in &attempt.notes {
                line(format_args!("      note    {note}"));
            }
        }
    }
}

/// How often `tail` looks for new events.
const TAIL_PERIOD: Duration = Duration::from_millis(250);

fn tail(journal: &dyn Journal, json: bool) -> anyhow::Result<()> {
    let newest = |limit| {
        journal.list(&Filter {
            limit,
            ..Filter::default()
        })
    };
    let mut last = newest(1)?.first().map_or(EventId::new(0), |event| event.id);
    loop {
        let mut fresh = newest(PAGE)?;
        fresh.retain(|event| event.id > last);
        for event in fresh.iter().rev() {
            last = event.id;
            if json {
                print(&format!(
                    "{}\n",
                    serde_json::to_string(&view::summary(event))?
                ))?;
            } else {
                print(&format!("{}\n", plain(row(event).join("  ").trim_end())))?;
            }
        }
        std::thread::sleep(TAIL_PERIOD);
    }
}

fn chosen(journal: &dyn Journal, ids: &[String], all: bool) -> anyhow::Result<Vec<EventId>> {
    if all {
        let filter = Filter {
            states: vec![EventState::Dead],
            limit: usize::MAX >> 1,
            ..Filter::default()
        };
        let mut ids: Vec<_> = journal
            .list(&filter)?
            .iter()
            .map(|event| event.id)
            .collect();
        ids.reverse();
        return Ok(ids);
    }
    ids.iter()
        .map(|id| {
            let found = journal
                .show(id)?
                .with_context(|| format!("there is no event `{id}`"))?;
            Ok(found.0.id)
        })
        .collect()
}

fn operate(folder: &Path, action: Action) -> anyhow::Result<()> {
    let mut refused = 0;
    for result in embedded::operate(folder, action)? {
        let id = result.id;
        print(&match result.outcome {
            ActionOutcome::Replayed(new) => format!("{id} runs again as {new}\n"),
            ActionOutcome::Discarded => format!("{id} discarded\n"),
            ActionOutcome::Refused(reason) => {
                refused += 1;
                format!("{id} left alone: {reason}\n")
            }
        })?;
    }
    if refused > 0 {
        bail!("{refused} events were left alone");
    }
    Ok(())
}

fn filter(selection: &SelectionArgs, states: Vec<EventState>) -> anyhow::Result<Filter> {
    Ok(Filter {
        states,
        path: selection.path.clone(),
        name: selection.name.clone(),
        lane: match (&*selection.key, &selection.path) {
            ([], _) => None,
            (key, Some(path)) => Some(lane_of_key(path, key.iter().map(String::as_str))),
            (_, None) => bail!("--key needs --path: keys are qualified by their source"),
        },
        since: selection.since.as_deref().map(time).transpose()?,
        until: selection.until.as_deref().map(time).transpose()?,
        ..Filter::default()
    })
}

/// A point in time, or an age that is counted back from now.
fn time(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let age = duration(text).map_err(|_| {
        anyhow::anyhow!(
            "`{text}` is neither a time such as 2026-11-24T08:00:00Z nor an age such as 2h"
        )
    })?;
    Ok(Timestamp::now().saturating_sub(age)?)
}

/// Prints to standard output; a reader that has gone away ends the command quietly.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}

/// Runs `salvage`.
pub(super) fn salvage(from: &Path, to: &Path) -> anyhow::Result<()> {
    let salvaged = embedded::salvage(from, to)?;
    print(&format!(
        "{} events saved, {} of them incomplete; set OCEAN__QUEUE__PATH={} to go on with it\n",
        salvaged.whole + salvaged.partial,
        salvaged.partial,
        to.display()
    ))
}
