//! Messages that require attributes of their readers.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use depesch::composition::message::{Message, MessageSource, PrepareError, PreparedMailing};
use depesch::model::mailing::Mailing;
use depesch::model::subscriber::Subscriber;
use depesch::transport::Envelope;

/// Makes short messages; each reader must have every attribute in `wants`. The shared part is `content`.
#[derive(Clone, Default)]
pub struct Wanting {
    pub wants: Vec<&'static str>,
    pub content: Arc<Mutex<String>>,
}

impl MessageSource for Wanting {
    fn prepare<'a>(
        &'a self,
        _: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>> {
        Box::pin(std::future::ready(Ok(Arc::new(self.clone()) as Arc<dyn PreparedMailing>)))
    }
}

impl PreparedMailing for Wanting {
    fn make(&self, subscriber: &Subscriber) -> Result<Message, String> {
        if let Some(missing) = self.wants.iter().find(|name| !subscriber.attributes.contains_key(**name)) {
            return Err(format!("the field {missing} is missing"));
        }
        let envelope = Envelope {
            sender: Some("media-bounces@lists.example.org".parse().unwrap()),
            recipient: subscriber.address.clone(),
            envelope_id: subscriber.id.to_string(),
        };
        Ok(Message { envelope, bytes: b"Subject: x\r\n\r\nx\r\n".to_vec(), shared_end: Arc::default() })
    }

    fn content_hash(&self) -> Result<String, String> {
        Ok(self.content.lock().unwrap().clone())
    }
}
