//! The service: its thread, which exists while there is something to serve, and its changes by reloads.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use slog::{Logger, error, info};
use tokio::sync::oneshot;

use super::connections::{self, Limits};
use super::listener::{BoundSocket, HttpError};
use super::site::{Counts, Site};
use crate::config::HttpListen;
use crate::control::QueryHandler;

/// HTTP as it is served now.
pub(crate) struct HttpService {
    listen: HttpListen,
    /// Bound, but not served yet.
    bound: Option<BoundSocket>,
    running: Option<Running>,
    handler: Option<Arc<dyn QueryHandler>>,
    counts: Arc<Counts>,
    log: Logger,
}

/// What HTTP is going to be served on. Clients that connect wait.
#[derive(Debug)]
pub(crate) struct BoundHttp {
    listen: HttpListen,
    /// `None`: it is off, or can be bound only when the one of before is gone.
    bound: Option<BoundSocket>,
}

impl BoundHttp {
    /// Listens where the configuration says, so that a failure stops the start before anything is changed.
    ///
    /// # Errors
    /// If the address or the path cannot be listened on.
    pub(crate) fn bind(listen: &HttpListen) -> Result<Self, HttpError> {
        Ok(Self { listen: listen.clone(), bound: BoundSocket::bind(listen)? })
    }
}

impl HttpService {
    /// Serves nothing until [`Self::serve`].
    pub(crate) fn new(BoundHttp { listen, bound }: BoundHttp, log: &Logger) -> Self {
        Self { listen, bound, running: None, handler: None, counts: Arc::default(), log: log.clone() }
    }

    /// Serves the handler's answers, if HTTP is not off.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub(crate) fn serve(&mut self, handler: Arc<dyn QueryHandler>) -> Result<(), HttpError> {
        self.handler = Some(handler);
        self.start()
    }

    fn start(&mut self) -> Result<(), HttpError> {
        let (Some(bound), Some(handler)) = (self.bound.take(), &self.handler) else { return Ok(()) };
        let site = Site::new(Arc::clone(handler), Arc::clone(&self.counts));
        self.running = Some(Running::start(bound, site).map_err(HttpError::Thread)?);
        info!(self.log, "http_listening"; "http" => %self.listen);
        Ok(())
    }

    /// Listens where another configuration says, too, so that a failure refuses a reload before anything is changed.
    /// `None`: nothing changes.
    ///
    /// # Errors
    /// As [`BoundHttp::bind`].
    pub(crate) fn prepare(&self, listen: &HttpListen) -> Result<Option<BoundHttp>, HttpError> {
        if *listen == self.listen {
            return Ok(None);
        }
        let bound = match BoundSocket::bind(listen) {
            // The port may be our own, as with 127.0.0.1:9477 before and 0.0.0.0:9477 now.
            Err(error) if error.is_taken() && same_port(&self.listen, listen) => None,
            bound => bound?,
        };
        Ok(Some(BoundHttp { listen: listen.clone(), bound }))
    }

    /// Goes on with what was prepared. A failure is logged: the daemon goes on without HTTP.
    pub(crate) async fn change_to(&mut self, next: Option<BoundHttp>) {
        let Some(BoundHttp { listen, bound }) = next else { return };
        self.stop().await;
        let bound = match bound {
            Some(bound) => Ok(Some(bound)),
            None => BoundSocket::bind(&listen),
        };
        self.listen = listen;
        let started = bound.and_then(|bound| {
            self.bound = bound;
            self.start()
        });
        if let Err(error) = started {
            error!(self.log, "http_failed"; "error" => %error, "detail" => "no metrics are served");
            // So that the next reload tries again.
            self.listen = HttpListen::Off;
        }
    }

    /// Stops listening and waits for the responses in flight, a second at the most.
    pub(crate) async fn stop(&mut self) {
        self.bound = None;
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }
}

fn same_port(one: &HttpListen, other: &HttpListen) -> bool {
    matches!((one, other), (HttpListen::Tcp(one), HttpListen::Tcp(other)) if one.port() == other.port())
}

/// The thread that serves.
struct Running {
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

impl Running {
    fn start(bound: BoundSocket, site: Site) -> io::Result<Self> {
        let (stop, stop_asked) = oneshot::channel();
        let (ended, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _entered = runtime.enter();
            bound.into_listener()?
        };
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
            runtime.block_on(connections::serve(listener, Arc::new(site), Limits::default(), stop_asked));
            drop(runtime);
            // Nobody waits if the daemon ends in another way.
            let _ = ended.send(());
        })?;
        Ok(Self { stop, stopped, thread })
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.stopped.await;
        // It has nothing left to do.
        let _ = self.thread.join();
    }
}
