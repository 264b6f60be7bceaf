"""What a plan costs: owned, rented by the hour, or paid per token; and where one becomes cheaper than another.

Every figure follows from what is shown beside it. A worked example, in which the user gives every price:

>>> from datetime import date
>>> from advisor.costs.costs import cost_of
>>> from advisor.costs.inputs import CostInputs
>>> from advisor.costs.workload import Throughput
>>> from advisor.foundation.ranges import Range
>>> from advisor.machines.catalogue import machine
>>> inputs = CostInputs.from_values({
...     "requests_per_day": 2000, "tokens_in": 1000, "tokens_out": 200, "peak_factor": 2, "years": 3,
...     "device_price": 800, "host_price": 400, "resale_percent": 20, "electricity_price": 0.15,
...     "device_load_w": 350, "device_idle_w": 20, "host_load_w": 120, "host_idle_w": 50,
...     "instance_price": 0.80, "api_input_price": 0.80, "api_output_price": 2.40,
... })
>>> speed = Throughput(decode=Range(16, 16, 16), prefill=Range(400, 400, 400))
>>> costs = cost_of("llama-3.3-70b-instruct", machine("rtx-3090"), 2, speed, inputs, date(2026, 11, 25))

The load: 2,000 requests x 1,200 tokens x 365/12 days.

>>> costs.tokens_per_month
73000000

A request takes 1000/400 + 200/16 = 15 s of the machine. At twice the average load it serves
730 x 3600 / (2 x 15) = 87,600 requests, or 105.12 million tokens a month: one machine is enough.

>>> costs.own.units[1], int(costs.own.typical.unit_tokens)
(1, 105120000)

Owning: 2 x 800 + 400 = 2,000, of which 80 % are written off in 36 months. The machine takes 2 x 20 + 50 = 90 W for
730 h, which is 65.7 kWh, and 2 x 350 + 120 - 90 = 730 W more while it computes: 60,833.33 requests x 15 s are
253.4722 h, which is 185.0347 kWh. 250.7347 kWh x 0.15 = 37.61.

>>> [(line.label.kind, str(line.amount)) for line in costs.own.bill]
[('bill_depreciation', '44.44'), ('bill_electricity', '37.61')]
>>> str(costs.own.monthly.typical)
'82.05'

Renting: 0.80 x 730 h. The API: 60.8333 million tokens in x 0.80 + 12.1667 million tokens out x 2.40.

>>> str(costs.rent.monthly.typical)
'584.00'
>>> [str(line.amount) for line in costs.api.bill], str(costs.api.monthly.typical)
(['48.67', '29.20'], '77.87')

Owning breaks even where its fixed month, 44.4444 + 65.7 x 0.15 = 54.2994, is earned back by what a token saves:
an API token costs (1000 x 0.80 + 200 x 2.40) / 1200 = 1.066667 millionths, a token of one's own 15 / 3600 h x 0.73 kW x
0.15 / 1200 = 0.380208 millionths.

>>> costs.own_against_api.typical
79100860
>>> costs.verdict.kind
'even_above'
"""
