//! The door to the HTTP client: one request, one bounded answer, no redirects.

use ureq::{Agent, Body, Error, http::Response};

use super::connect::{ANSWER_BYTES_MAX, ANSWER_TIME, Answered, CONNECT_TIME, NoAnswer};

/// Keeps connections to witnesses open between requests. A clone shares them.
#[derive(Clone)]
pub(super) struct Client {
    agent: Agent,
}

impl Client {
    pub(super) fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_global(Some(ANSWER_TIME))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent("karute")
            .max_idle_connections_per_host(2)
            .build();
        Self { agent: config.new_agent() }
    }

    /// Waits for the whole answer; to be called where waiting is allowed. With a body it is sent, without one read.
    pub(super) fn exchange(&self, url: &str, body: Option<Vec<u8>>) -> Result<Answered, NoAnswer> {
        let answered = match body {
            Some(body) => self.agent.post(url).content_type("application/octet-stream").send(&body[..]),
            None => self.agent.get(url).call(),
        };
        let mut answer: Response<Body> = answered.map_err(no_answer)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(no_answer)?;
        Ok(Answered { status, body })
    }
}

fn no_answer(error: Error) -> NoAnswer {
    match error {
        Error::Timeout(_) => NoAnswer::TimedOut,
        Error::Io(_) | Error::HostNotFound | Error::ConnectionFailed => NoAnswer::Unreachable,
        _ => NoAnswer::Malformed,
    }
}
