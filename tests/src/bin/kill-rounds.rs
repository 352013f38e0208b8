//! Kill rounds as long as one likes: `cargo run --release -p ocean-tests --bin kill-rounds -- 200`.

#![expect(clippy::print_stdout, reason = "prints its report")]

use anyhow::Context as _;
use ocean_tests::crash::{Rounds, kill_rounds};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut rounds = Rounds::default();
    if let Some(number) = arguments.next() {
        rounds.rounds = number
            .parse()
            .context("the first argument is a number of rounds")?;
    }
    if let Some(seed) = arguments.next() {
        rounds.seed = seed.parse().context("the second argument is a seed")?;
    }
    let binary = std::env::current_exe()?.with_file_name("probe-under-test");
    let report = kill_rounds(binary.to_str().context("a path in UTF-8")?, &rounds).await?;
    println!("seed {}\n{report:#?}", rounds.seed);
    anyhow::ensure!(
        report.lost.is_empty() && report.out_of_order.is_empty(),
        "events were lost"
    );
    Ok(())
}
