/** What `join` begins agent.yaml with: the same as deploy/examples/agent.yaml, which a test watches over. */
export const agentYamlTemplate = `# /etc/keepalived-witness/agent.yaml: the agent, on each of the two keepalived nodes.

# "witness-agent join" fills these in.
cluster: web
node: lb01
witness: https://10.0.0.20:7400 # an address rather than a name: a fence must not wait for DNS

# Where the other node's agent connects.
listen: 0.0.0.0:7401

# observe: do nothing, but record what would have been done. A good first week.
mode: enforce

# stop: a node that lost stops keepalived. fault: it puts the instance in FAULT, and stops keepalived only where that fails.
fence: stop
# A node that reaches neither witness nor peer. stop: it gives the VIP up. keep: it goes on as keepalived alone would.
alone: stop
# After the split is over. auto: keepalived is started again after a hold-down. manual: the operator starts it.
rejoin: auto

# Optional, on both nodes: an address that is pinged. A holder that has not reached it for 5 s hands the VIP over to a
# standby that does.
# gateway: 10.0.0.1
# Optional, before "witness-agent join": the address that the peer shall use; default is the one from which it was enrolled.
# advertise: 10.0.0.11

stateDir: /var/lib/keepalived-witness-agent
runDir: /run/keepalived-witness
logLevel: info

keepalived:
  config: /etc/keepalived/keepalived.conf
  pidFile: /run/keepalived.pid
  stopCommand: [systemctl, stop, keepalived]
  startCommand: [systemctl, start, keepalived]
  # Where all else failed and the VIP is still there:
  # lastResortCommand: [systemctl, reboot, --force, --force]
`
