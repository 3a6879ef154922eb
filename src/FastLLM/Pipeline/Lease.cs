using FastLLM.Costs;
using FastLLM.RateLimiting;

namespace FastLLM.Pipeline;

/// <summary>Represents the permission to send once: a slot, a share of the rate, and money. One release settles all three.</summary>
/// <remarks>A request context keeps one and uses it for one send after the other.</remarks>
internal sealed class Lease
{
    private BudgetAccount? _account;
    private decimal _reserved;
    private bool _isHeld;

    /// <summary>Gets the slot and the rate.</summary>
    public RateLease Rate { get; } = new();

    /// <summary>Gets the money that is reserved for the send; 0 without a budget.</summary>
    public decimal Reserved => _account is null ? 0 : _reserved;

    /// <summary>Notes that the limiter has admitted the send.</summary>
    public void Admitted() => _isHeld = true;

    /// <summary>Adds the money that is reserved for the send.</summary>
    public void AddMoney(BudgetAccount account, decimal reserved) => (_account, _reserved) = (account, reserved);

    /// <summary>Releases the lease: settles money, slot and rate with what the send took. Further calls do nothing.</summary>
    /// <returns>What stays charged for a send whose cost is unknown: its worst case.</returns>
    public decimal Release(in SendResult send)
    {
        if (!_isHeld)
        {
            return 0;
        }

        _isHeld = false;
        decimal charge = 0;
        if (_account is { } account)
        {
            _account = null;
            charge = send.IsFree ? 0 : _reserved;
            account.Ledger.Settle(account, _reserved, send.Cost ?? charge);
        }

        Rate.MeetsOutage = send.MeetsOutage;
        Rate.Limiter!.Leave(Rate, send.End, send.Usage, send.Wait);
        return charge;
    }
}
