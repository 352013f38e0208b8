//! The server: rooms started in order, stopped in order.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use futures_util::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use super::{config::QueueKind, prepared::Prepared, rooms};
use crate::{
    admin::{self, AdminParts},
    catalog::Catalog,
    dispatch::{self, DispatchOptions, DispatchParts},
    error::StartError,
    ingress::{self, Check, IngressOptions, IngressParts, Limits, stream::Stream},
    integration::{Assets, Integration},
    mapping::{self, MappingHandle, RefreshParts},
    queue::Queue,
    supervisor::Supervisor,
};

/// How often a process may die while an event runs before the event becomes a dead letter.
const MAX_RESTARTS: u32 = 3;

/// Addresses of a server that listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listening {
    /// Where events are posted.
    pub(crate) public: SocketAddr,
    /// Where operators look.
    pub(crate) admin: Option<SocketAddr>,
}

/// Runs the integration until SIGTERM, SIGINT or a task of the process that panics.
///
/// The rooms start from the back, so that each finds those it works with: queue, catalog, mapping,
/// dispatch, and the door last. They stop from the front: the door first, and the queue only when
/// everything that may write a fate is through.
///
/// # Errors
/// What keeps a room from starting.
pub(crate) async fn serve<I: Integration>(
    prepared: Prepared<I>,
    supervisor: Arc<Supervisor>,
    on_listening: impl FnOnce(&Prepared<I>, Listening),
) -> Result<ExitCode, StartError> {
    // Signals are caught before anything starts: one that comes during the start stops it in order.
    let mut signalled = stop_signal()?;
    let settings = &prepared.settings;
    // Before anything is open: it may take a while, and fail.
    let stream = match settings.stream.clone() {
        None => None,
        Some(options) => tokio::select! {
            stream = Stream::open(options) => Some(stream?),
            name = &mut signalled => {
                info!(signal = name, "Stopped before Redis could be reached.");
                return Ok(ExitCode::SUCCESS);
            }
        },
    };
    let (queue, feed) = rooms::queue(&prepared)?;
    let (catalog, browser) = rooms::catalog(&prepared, &supervisor)?;
    let mapping = MappingHandle::default();
    supervisor.spawn(
        "mapping",
        mapping::refresh(
            RefreshParts {
                handle: mapping.clone(),
                catalog: Arc::clone(&catalog),
                options: prepared.mapping_options(),
                ttl: settings.port.app_config_ttl,
                clock: prepared.clock,
                telemetry: Arc::clone(&prepared.telemetry),
            },
            supervisor.shutdown(),
        ),
    );
    dispatch::start(
        DispatchParts {
            registry: Arc::clone(&prepared.registry),
            queue: Arc::clone(&queue),
            feed,
            mapping: mapping.clone(),
            catalog: Arc::clone(&catalog),
            state: prepared.state.clone(),
            clock: prepared.clock,
            telemetry: Arc::clone(&prepared.telemetry),
            options: DispatchOptions {
                workers: settings.workers,
                max_attempt_time: settings.max_attempt_time,
                max_restarts: MAX_RESTARTS,
            },
        },
        &supervisor,
    );
    supervisor.spawn(
        "preparation",
        prepare(
            Arc::clone(&catalog),
            I::assets(),
            mapping.clone(),
            &supervisor,
        ),
    );
    let mut checks = checks(&catalog, &mapping);
    checks.extend(stream.as_ref().map(Stream::check));
    let listening = Listening {
        admin: match &settings.admin {
            Some(admin) => Some(admin::serve(
                AdminParts {
                    listen: admin.listen,
                    token: admin.token.clone(),
                    queue: Arc::clone(&queue),
                    registry: Arc::clone(&prepared.registry),
                    mapping: mapping.clone(),
                    browser,
                    checks: checks.clone(),
                    clock: prepared.clock,
                },
                &supervisor,
            )?),
            None => None,
        },
        public: doors(&prepared, &queue, checks, stream, &supervisor)?,
    };
    if let Some(address) = listening.admin {
        info!(%address, "Listening for operators.");
    }
    info!(address = %listening.public, "Listening for events.");
    on_listening(&prepared, listening);
    let (context, state) = (prepared.context.clone(), prepared.state.clone());
    let mut stop = supervisor.shutdown();
    supervisor.spawn("integration", async move {
        // It may go on as long as the server runs, or be in a slow call of the tool.
        tokio::select! {
            started = I::on_start(context, state) => if let Err(problem) = started {
                warn!(%problem, "The integration's own start failed; events are received all the same.");
            },
            () = stop.requested() => {}
        }
    });

    let mut shutdown = supervisor.shutdown();
    let code = tokio::select! {
        name = signalled => {
            info!(signal = name, "Shutting down.");
            ExitCode::SUCCESS
        }
        () = shutdown.requested() => ExitCode::FAILURE,
    };
    supervisor.stop();
    supervisor.join(settings.shutdown_wait).await;
    queue.close().await;
    info!("Stopped.");
    Ok(code)
}

/// What must work beside the queue, for senders and operators.
fn checks(catalog: &Arc<dyn Catalog>, mapping: &MappingHandle) -> Vec<Check> {
    let mapping = mapping.clone();
    let catalog = Arc::clone(catalog);
    let loaded = mapping.clone();
    vec![
        Check::new("mapping", move || match loaded.current() {
            Some(_) => Ok(()),
            None => Err(loaded
                .status()
                .error
                .unwrap_or_else(|| "not loaded yet".to_owned())),
        }),
        Check::degrading("mapping", move || match mapping.status().error {
            Some(error) if mapping.current().is_some() => Err(error),
            _ => Ok(()),
        }),
        Check::degrading("catalog", move || catalog.trouble().map_or(Ok(()), Err)),
    ]
}

/// Opens the door to senders, and the one to the Redis stream if that is read.
fn doors<I: Integration>(
    prepared: &Prepared<I>,
    queue: &Arc<dyn Queue>,
    checks: Vec<Check>,
    stream: Option<Stream>,
    supervisor: &Supervisor,
) -> Result<SocketAddr, StartError> {
    let settings = &prepared.settings;
    for source in prepared
        .sources
        .iter()
        .filter(|source| !source.is_verified())
    {
        warn!(
            path = %source.source().path,
            reason = source.source().unverified.unwrap_or_default(),
            "Events of this source are taken from anyone who knows its address."
        );
    }
    if settings.queue.kind == QueueKind::Memory {
        warn!("Events are kept in memory only and are lost when the process ends.");
    }
    if !settings.live_events {
        warn!("The event listener does not want live events: every event is answered with 404.");
    }
    let parts = IngressParts {
        sources: if settings.live_events {
            prepared.sources.clone()
        } else {
            Vec::new()
        },
        router: Arc::clone(&prepared.registry) as _,
        queue: Arc::clone(queue),
        checks,
        clock: prepared.clock,
        telemetry: Arc::clone(&prepared.telemetry),
        options: IngressOptions {
            host: settings.listen.ip().to_string(),
            port: settings.listen.port(),
            prefix: settings.path_prefix.clone(),
            shutdown_timeout: settings.shutdown_wait,
            limits: Limits::for_bodies_of(settings.max_body_bytes),
            ..IngressOptions::default()
        },
    };
    let addresses = ingress::serve(parts.clone(), supervisor)?;
    if let Some(stream) = stream {
        info!(stream = %stream.options(), "Reading events from Redis.");
        supervisor.spawn("stream", stream.consume(parts, supervisor.shutdown()));
    }
    addresses
        .first()
        .copied()
        .ok_or_else(|| StartError::new("the door listens nowhere"))
}

/// Brings the integration's record and resources at the catalog into being; what is refused for
/// good ends the process, since nothing could ever be written.
fn prepare(
    catalog: Arc<dyn Catalog>,
    assets: Assets,
    mapping: MappingHandle,
    supervisor: &Arc<Supervisor>,
) -> impl Future<Output = ()> + Send + 'static {
    let mut shutdown = supervisor.shutdown();
    let supervisor = Arc::clone(supervisor);
    async move {
        let prepared = tokio::select! {
            prepared = catalog.prepare(&assets) => prepared,
            () = shutdown.requested() => return,
        };
        match prepared {
            // A new installation has its mapping only now.
            Ok(()) => mapping.refresh_now(),
            Err(problem) => {
                error!(%problem, "The catalog refuses this integration; shutting down.");
                supervisor.stop();
            }
        }
    }
}

/// Resolves with the name of the first signal that asks the process to end.
fn stop_signal() -> Result<impl Future<Output = &'static str> + Unpin, StartError> {
    let catch = |kind, name: &'static str| {
        let signal = signal(kind)
            .map_err(|error| StartError::new(format!("cannot catch {name}: {error}")))?;
        Ok::<_, StartError>((signal, name))
    };
    let (mut term, term_name) = catch(SignalKind::terminate(), "SIGTERM")?;
    let (mut interrupt, interrupt_name) = catch(SignalKind::interrupt(), "SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => term_name,
            _ = interrupt.recv() => interrupt_name,
        }
    }
    .boxed())
}
