#!/bin/sh
# Publish one task through RabbitMQ's management API and wait for its result; needs curl and jq.
#
#   examples/publish_with_curl.sh senior-engineer "What is a mutex?"
#
# MANAGEMENT_URL and VHOST choose the broker; user and password are guest unless AMQP_USER is set as user:password.
set -eu
[ $# -eq 2 ] || { echo "usage: examples/publish_with_curl.sh AGENT PROMPT" >&2; exit 2; }
agent=$1 prompt=$2
api=${MANAGEMENT_URL:-http://localhost:15672}/api
vhost=$(printf %s "${VHOST:-/}" | jq -sRr @uri)
id=curl-$(date +%s)-$$
queue=replies-$id

call() { # method, path, JSON body
    curl -sSf -u "${AMQP_USER:-guest:guest}" -X "$1" -H 'content-type: application/json' "$api/$2" -d "$3"
}

# A queue for the one reply. The broker deletes it ten minutes after its last use, should this script be killed.
call PUT "queues/$vhost/$queue" '{"durable": true, "arguments": {"x-expires": 600000}}'

task=$(jq -nc --arg id "$id" --arg prompt "$prompt" '{id: $id, prompt: $prompt}')
message=$(jq -nc --arg key "$agent" --arg task "$task" --arg queue "$queue" \
    '{routing_key: $key, payload: $task, payload_encoding: "string",
      properties: {priority: 7, delivery_mode: 2, reply_to: $queue}}')
call POST "exchanges/$vhost/sutazai.tasks/publish" "$message" >/dev/null

for _ in $(seq 120); do
    reply=$(call POST "queues/$vhost/$queue/get" '{"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}')
    if [ "$reply" != "[]" ]; then
        printf %s "$reply" | jq '.[0].payload | fromjson'
        call DELETE "queues/$vhost/$queue" '{}'
        exit 0
    fi
    sleep 1
done
echo "no result of task $id from agent $agent within two minutes" >&2
exit 1
