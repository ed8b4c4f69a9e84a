// The same from elsewhere: what is seen here, as a command or a few lines of a program.

/** With curl, which takes an access token. */
export function curl(task) {
  const name = encodeURIComponent(task.function);
  return `curl -H "Authorization: Bearer $SOJOURN_TOKEN" \\\n  ${quoted(`${location.origin}/v1/functions/${name}/tasks/${encodeURIComponent(task.id)}`)}\n`;
}

/** On the command line. */
export function cli(task) {
  return `sojourn task get ${quoted(task.function)} ${quoted(task.id)}\n`;
}

/** In Python. */
export function python(task) {
  return [
    "from sojourn.client import Client, Connection",
    "",
    "with Client() as client:",
    `    task = client.task(${JSON.stringify(task.function)}, ${JSON.stringify(task.id)})`,
    "    print(task.status)",
    "",
  ].join("\n");
}

function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
